//! What holds of the workspace itself: layers, names, sizes, and documents that say what is true.

#[cfg(test)]
mod documents;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod lints;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod source;
