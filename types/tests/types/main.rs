//! What every format of the network is, byte for byte, and what each verifier refuses.

#[cfg(test)]
mod bundle;
#[cfg(test)]
mod canonical;
#[cfg(test)]
mod certificate;
#[cfg(test)]
mod codec;
#[cfg(test)]
mod control;
#[cfg(test)]
mod decided_block;
#[cfg(test)]
mod genesis;
#[cfg(test)]
mod parcel;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod vectors;
