//! `suvidha top`: what a gateway is doing now, read from the end of its ledger. It needs nothing of the gateway itself, so it
//! works beside one that hangs, and on the file of one that is gone.

use std::env;
use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use clap::Args;
use suvidha_seam::Seam;
use suvidha_store::ledger::Filter;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{MissedTickBehavior, interval};

use crate::config::duration;
use crate::exit::{Exit, Failure};
use crate::ledger::{Follower, LedgerOptions, LedgerPlace};
use crate::output::{Output, print};
use crate::signals::Signals;

mod frame;
mod terminal;
mod window;

use frame::{Frame, Sort, Title, keys};
use terminal::Terminal;
use window::{Figures, SPAN, Sample, Window};

/// Entries in memory at once.
const PAGE: usize = 5_000;
/// A call is written down when it ends and dated by its begin: so long before the minute one may have begun that ended in it.
const LONGEST_CALL: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// `suvidha top`.
#[derive(Debug, Args)]
#[command(after_help = "\
Keys:
  q  quit, as do Ctrl-C and Esc
  s  sort the ASPs by calls, errors, p99 or aspid

Latency is told in whole, at GSTN, and ours: what is left of the whole without GSTN, in which the
ASP's own line has a part. NO_COLOR in the environment switches colours off.")]
pub(crate) struct Top {
    /// Which ledger.
    #[command(flatten)]
    place: LedgerOptions,
    /// Show it once and end; with --json as one object. Needs no terminal
    #[arg(long)]
    once: bool,
    /// How often to look: 1s, 500ms, …
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = refresh)]
    interval: Duration,
}

fn refresh(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3600);
    duration(text)
        .filter(|time| allowed.contains(time))
        .ok_or_else(|| "expected a time from 100ms to 1h, such as 500ms or 2s".to_owned())
}

/// Runs `suvidha top`.
pub(crate) fn run(options: &Top, output: Output, seam: &Seam) -> Result<(), Failure> {
    let live = !options.once && !output.json;
    if live && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Failure::new(Exit::Usage, "a live view needs a terminal")
            .remedy("Use --once for the figures of the moment, or --json for one object each time."));
    }
    let mut view = View::open(LedgerPlace::from_options(&options.place)?, seam)?;
    match (live, options.once) {
        (true, _) => view.live(options.interval),
        (false, true) => view.print(output),
        (false, false) => view.stream(options.interval),
    }
}

/// The end of a ledger, followed.
struct View<'a> {
    place: LedgerPlace,
    follower: Follower,
    window: Window,
    seam: &'a Seam,
}

impl<'a> View<'a> {
    fn open(place: LedgerPlace, seam: &'a Seam) -> Result<Self, Failure> {
        let reader = place.open()?;
        let follower = Follower::new(&place, reader, 0);
        let mut view = Self { place, follower, window: Window::default(), seam };
        view.read()?;
        Ok(view)
    }

    /// Takes in what is new.
    fn read(&mut self) -> Result<(), Failure> {
        let since = self.seam.now().checked_sub(SPAN + LONGEST_CALL).ok();
        let filter = Filter { from: since, ..Filter::default() };
        loop {
            let (entries, more) = self.follower.poll(&filter, PAGE)?;
            entries.iter().for_each(|recorded| self.window.add(Sample::from(&recorded.entry)));
            if !more {
                return Ok(());
            }
        }
    }

    fn figures(&mut self) -> Figures {
        self.window.figures(self.seam.now())
    }

    fn frame(&mut self, trouble: Option<&str>, sort: Sort) -> Frame {
        let figures = self.figures();
        let environment = self.place.environment.as_str();
        Frame::new(&Title { environment, head: self.follower.after(), trouble }, &figures, sort)
    }

    fn print(&mut self, output: Output) -> Result<(), Failure> {
        if output.json {
            return self.print_json();
        }
        print(&self.frame(None, Sort::Calls).whole())
    }

    /// Prints one object on one line.
    fn print_json(&mut self) -> Result<(), Failure> {
        let text = serde_json::to_string(&self.figures())
            .map_err(|e| Failure::new(Exit::Io, format_args!("cannot write the figures as JSON: {e}")))?;
        print(&(text + "\n"))
    }

    fn stream(&mut self, every: Duration) -> Result<(), Failure> {
        loop {
            self.print_json()?;
            std::thread::sleep(every);
            self.read()?;
        }
    }

    /// Shows it until a key or a signal ends it.
    fn live(&mut self, every: Duration) -> Result<(), Failure> {
        let failed = |e: io::Error| Failure::io(Exit::Io, "cannot use the terminal", &e);
        let colour = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
            let terminal = Terminal::take(io::stdout()).map_err(failed)?;
            let mut pressed = keyboard();
            let mut tick = interval(every);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut sort, mut trouble) = (Sort::Calls, None);
            loop {
                tokio::select! {
                    _ = tick.tick() => trouble = self.read().err().map(|failure| failure.message),
                    _ = resized.recv() => {}
                    _ = signals.next() => return Ok(()),
                    key = pressed.recv() => match key {
                        Some(Key::Sort) => sort = sort.next(),
                        Some(Key::Quit) | None => return Ok(()),
                    },
                }
                let frame = self.frame(trouble.as_deref(), sort);
                terminal.show(&frame.fit(terminal.size(), &keys(sort), colour)).map_err(failed)?;
            }
        })
    }
}

/// A key that means something.
enum Key {
    Quit,
    Sort,
}

/// The keys, read by a thread that ends with the process; closed when the terminal is.
fn keyboard() -> Receiver<Key> {
    let (pressed, keys) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        loop {
            let read = match io::stdin().read(&mut bytes) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            for key in meant(&bytes[..read]) {
                if pressed.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    });
    keys
}

/// What was pressed. An escape alone is the key; with more behind it, it begins the name of another key.
fn meant(bytes: &[u8]) -> Vec<Key> {
    match bytes {
        [0x1b] => vec![Key::Quit],
        [0x1b, ..] => Vec::new(),
        bytes => bytes
            .iter()
            .filter_map(|byte| match byte {
                b'q' | b'Q' | 0x03 => Some(Key::Quit),
                b's' | b'S' => Some(Key::Sort),
                _ => None,
            })
            .collect(),
    }
}
