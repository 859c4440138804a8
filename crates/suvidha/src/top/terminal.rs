//! The terminal while `suvidha top` has it: a screen of its own, no echo, each key at once. It is given back as it was found,
//! however the command ends: by a key, a signal, an error or a panic.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Another screen, and no cursor on it.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// The cursor again, no colours, and the screen that was there before.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[0m\x1b[?1049l";

/// What has to be put back, while a terminal is ours.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    terminal: OwnedFd,
    before: Termios,
}

/// The terminal, until this is dropped.
pub(super) struct Terminal {
    terminal: OwnedFd,
}

/// How many columns and lines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Size {
    /// Of a terminal that does not tell.
    pub(super) const USUAL: Self = Self { columns: 80, lines: 24 };
}

impl Terminal {
    /// Takes `terminal` over.
    pub(super) fn take(terminal: impl AsFd) -> io::Result<Self> {
        restore_on_panic();
        let ours = terminal.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&ours)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&ours, OptionalActions::Flush, &raw)?;
        *taken() = Some(Taken { terminal: ours.try_clone()?, before });
        let taken = Self { terminal: ours };
        taken.write(ENTER)?;
        Ok(taken)
    }

    /// Its size now.
    pub(super) fn size(&self) -> Size {
        let told = tcgetwinsize(&self.terminal).ok().filter(|told| told.ws_col > 0 && told.ws_row > 0);
        told.map_or(Size::USUAL, |told| Size { columns: told.ws_col.into(), lines: told.ws_row.into() })
    }

    /// Shows `lines` from the top left corner on, and nothing else.
    pub(super) fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut text = String::from("\x1b[H");
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J");
        self.write(text.as_bytes())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        write_all(&self.terminal, bytes)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Without this the words of a panic would go to the screen that is about to vanish.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            told(panic);
        }));
    });
}

fn restore() {
    if let Some(Taken { terminal, before }) = taken().take() {
        // The terminal may be gone; then there is nothing to give back.
        let _ = write_all(&terminal, LEAVE);
        let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    }
}

fn taken() -> std::sync::MutexGuard<'static, Option<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all(terminal: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(terminal, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::LocalModes;

    use super::*;

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let end = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let lines = || tcgetattr(&end).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO);
        assert!(lines());
        let mut within = None;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let terminal = Terminal::take(&end).unwrap();
            terminal.show(&["calls".to_owned()]).unwrap();
            within = Some(lines());
            panic!("of a test");
        }));
        assert!(panicked.is_err());
        assert_eq!((within, lines()), (Some(false), true));
        let mut screen = File::from(master);
        let mut shown = String::new();
        while !shown.ends_with("\u{1b}[?1049l") {
            let mut bytes = [0; 256];
            let read = screen.read(&mut bytes).unwrap();
            shown.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        assert_eq!(
            shown,
            "\u{1b}[?1049h\u{1b}[?25l\u{1b}[Hcalls\u{1b}[K\u{1b}[J\u{1b}[?25h\u{1b}[0m\u{1b}[?1049l"
        );
    }
}
