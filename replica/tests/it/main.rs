//! Scenarios: what one validator, or four, do when writes, messages and power come and go.

#[cfg(test)]
mod amnesia;
#[cfg(test)]
mod durable;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod judging;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod marks;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod room;
#[cfg(test)]
mod support;
#[cfg(test)]
mod syncing;
