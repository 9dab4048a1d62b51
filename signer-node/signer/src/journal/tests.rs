mod admission;
mod documents;
mod durability;
mod fixture;
mod heads;
mod subjects;
