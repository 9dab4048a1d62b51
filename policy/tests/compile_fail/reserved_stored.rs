//! A reservation is neither written down nor read back.
use serde::{Serialize, de::DeserializeOwned};
use tercet_policy::admission::Reserved;

fn stored<T: Serialize + DeserializeOwned>() {}

fn main() {
    stored::<Reserved>();
}
