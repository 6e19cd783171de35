//! Which threads go first when there is not enough of the machine.

/// The calling thread lets all others go first: while they want to run it gets about a tenth of what they get, and all of what they
/// leave. On Linux a niceness is a thread's own (setpriority(2), "C library/kernel differences"); elsewhere nothing is done.
pub fn let_others_go_first() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        ::log::warn!("cannot lower a thread's priority: {error}");
    }
}
