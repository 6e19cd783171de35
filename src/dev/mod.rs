//! What only `hallpass dev` has: a seeded world, the same in every run, so that a client's tests can name what is in it (`world`),
//! the answers that clients want next (`after_login`), randomness that can be foreseen (`foreseeable`), and in `control` the API that
//! drives it all.

pub mod after_login;
pub mod control;
pub mod foreseeable;
pub mod world;
