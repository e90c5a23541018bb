//! Scenarios: what a network of drivers does, told in sentences.

#[cfg(test)]
mod catch_up;
#[cfg(test)]
mod decide;
#[cfg(test)]
mod encodings;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod random;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod support;
