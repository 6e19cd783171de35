//! The binary: all of it is in the library, so that tests and the command line share one hallpass.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass::cli::main()
}
