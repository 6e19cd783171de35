//! What only the command line asks and changes: lists, accounts and apps by the name a person calls them, and their settings.
//! What it ends is in `endings`, as everything that ends.

mod clients;
mod imported;
mod plain_tokens;
mod tokens;
mod users;

pub use clients::ClientOnFile;
pub use imported::Imported;
pub use plain_tokens::NewPlainToken;
pub use tokens::TokenFilter;
pub use users::{SessionOnFile, UserChange, UserOnFile};
