//! What only `hallpass dev` has: a seeded world, the same in every run, so that a client's tests can name what is in it (`world`),
//! and the answers that clients want next (`after_login`).

pub mod after_login;
pub mod world;
