//! Where the lines of the log go: into one buffer, from which a thread of its own writes them to standard error, many with
//! one system call. What logs never waits for whoever reads: what does not fit is dropped, counted, and told.
//!
//! A line that comes after a silence is written at once, and so is one that warns; in a stream of lines, each is written
//! within [`GATHER`]. All lines leave in the order in which they came.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::line::CALL;

/// How long a line may wait for others to be written with it.
const GATHER: Duration = Duration::from_millis(100);

/// So many bytes wait for no more: one write of them costs each line next to nothing.
const FULL: usize = 64 * 1024;

/// So many bytes may wait while standard error takes none.
const MOST: usize = 8 * 1024 * 1024;

/// So many more for whatever is not the line of a call: there is little of it, and it tells what is wrong.
const RESERVE: usize = 256 * 1024;

/// How long standard error is left alone when it takes nothing and does not let us wait, as a terminal may be set up to.
const PAUSE: Duration = Duration::from_millis(10);

/// The way to standard error.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There is something for the writer to do.
    work: Condvar,
    /// The writer has done something.
    done: Condvar,
    /// Lines dropped, ever.
    lost: Arc<AtomicU64>,
}

struct State {
    /// Whole lines that nobody has taken yet.
    waiting: Vec<u8>,
    /// They must not wait for more.
    urgent: bool,
    writer: Writer,
    /// Bytes that ever came in.
    queued: u64,
    /// Bytes of them that are written, or never will be.
    gone: u64,
    /// Lines dropped of which the log does not tell yet.
    untold: u64,
}

/// What the writer does, so that it is woken only where it must be: that is a system call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// Waits for a first line.
    Idle,
    /// Waits for more lines.
    Gathering,
    /// Will look again before it waits.
    Busy,
}

impl Sink {
    /// Starts the thread that writes to `output`, and that calls `tell` when lines were dropped and others have left since:
    /// with how many, and how many ever.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(
        output: impl Write + Send + 'static,
        tell: impl Fn(u64, u64) + Send + 'static,
    ) -> io::Result<Self> {
        let state = State {
            waiting: Vec::with_capacity(2 * FULL),
            urgent: false,
            writer: Writer::Busy,
            queued: 0,
            gone: 0,
            untold: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            done: Condvar::new(),
            lost: Arc::default(),
        });
        let of_writer = Arc::clone(&shared);
        let write = move || of_writer.write_to(output, tell);
        thread::Builder::new().name("suvidha-log".to_owned()).spawn(write)?;
        Ok(Self(shared))
    }

    /// How many lines were dropped because standard error did not take them.
    pub(crate) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.lost)
    }

    /// Waits until what came in so far is written, for `patience` at most.
    pub(crate) fn flush(&self, patience: Duration) {
        let mut state = self.0.lock();
        let target = state.queued;
        state.urgent = true;
        self.0.work.notify_one();
        let left = |state: &mut State| state.gone < target;
        drop(self.0.done.wait_timeout_while(state, patience, left));
    }

    fn take(&self, line: &[u8], urgent: bool, most: usize) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > most {
            state.untold += 1;
            drop(state);
            self.0.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.queued += line.len() as u64;
        state.urgent |= urgent;
        let wakes = match state.writer {
            Writer::Idle => true,
            Writer::Gathering => state.is_due(),
            Writer::Busy => false,
        };
        if wakes {
            state.writer = Writer::Busy;
            drop(state);
            self.0.work.notify_one();
        }
    }
}

impl State {
    /// What waits is to be written now.
    fn is_due(&self) -> bool {
        self.urgent || self.waiting.len() >= FULL
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut output: impl Write, tell: impl Fn(u64, u64)) {
        let (mut block, mut untold, mut torn) = (Vec::with_capacity(2 * FULL), 0, false);
        let mut gathered = Instant::now();
        loop {
            untold += self.next(&mut block, gathered);
            // What is left of a line that broke off is not to swallow the next one.
            let mended = !torn || write(&mut output, b"\n") == 1;
            let written = if mended { write(&mut output, &block) } else { 0 };
            torn = if written > 0 { block[written - 1] != b'\n' } else { !mended };
            let dropped = lines(&block[written..]);
            untold += dropped;
            self.lost.fetch_add(dropped, Ordering::Relaxed);
            gathered = Instant::now() + GATHER;
            self.lock().gone += block.len() as u64;
            self.done.notify_all();
            if dropped == 0 && untold > 0 {
                tell(untold, self.lost.load(Ordering::Relaxed));
                untold = 0;
            }
            block.clear();
            block.shrink_to(2 * FULL);
        }
    }

    /// Waits for lines, and for more of them until `gathered`, and takes them into `block`. Says how many were dropped
    /// that the log does not tell of yet.
    fn next(&self, block: &mut Vec<u8>, gathered: Instant) -> u64 {
        let mut state = self.lock();
        while !state.is_due() || state.waiting.is_empty() {
            let rest = gathered.saturating_duration_since(Instant::now());
            if state.waiting.is_empty() {
                state.writer = Writer::Idle;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if rest.is_zero() {
                break;
            } else {
                state.writer = Writer::Gathering;
                state = self.work.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        (state.writer, state.urgent) = (Writer::Busy, false);
        std::mem::swap(&mut state.waiting, block);
        std::mem::take(&mut state.untold)
    }
}

/// How much of `block` could be written.
fn write(output: &mut impl Write, block: &[u8]) -> usize {
    let mut written = 0;
    while written < block.len() {
        match output.write(&block[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    written
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The way of one line.
pub(crate) struct Line<'s> {
    sink: &'s Sink,
    urgent: bool,
    most: usize,
}

impl<'s> MakeWriter<'s> for Sink {
    type Writer = Line<'s>;

    fn make_writer(&'s self) -> Line<'s> {
        Line { sink: self, urgent: false, most: MOST + RESERVE }
    }

    fn make_writer_for(&'s self, event: &Metadata<'_>) -> Line<'s> {
        let most = if event.target() == CALL { MOST } else { MOST + RESERVE };
        Line { sink: self, urgent: *event.level() <= Level::WARN, most }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.take(line, self.urgent, self.most);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// An output whose every write waits to be told how it ends, and then says what it was given.
    struct Gate {
        orders: Receiver<io::Result<usize>>,
        writes: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once nobody gives orders any more, everything passes.
            let taken = self.orders.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            let _ = self.writes.send(bytes[..taken].to_owned());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Stage {
        sink: Sink,
        orders: Sender<io::Result<usize>>,
        writes: Receiver<Vec<u8>>,
        told: Receiver<(u64, u64)>,
    }

    impl Stage {
        fn set() -> Self {
            let (orders, to_gate) = channel();
            let (of_gate, writes) = channel();
            let (tell, told) = channel();
            let tell = move |lines, total| tell.send((lines, total)).unwrap_or_default();
            let sink = Sink::start(Gate { orders: to_gate, writes: of_gate }, tell).unwrap();
            Self { sink, orders, writes, told }
        }

        fn log(&self, line: &str) {
            self.sink.make_writer().write_all(format!("{line}\n").as_bytes()).unwrap();
        }

        /// Once `line` is all that the writer has in hand.
        fn log_and_hold(&self, line: &str) {
            self.log(line);
            let until = Instant::now() + DEADLINE;
            while !self.sink.0.lock().waiting.is_empty() {
                assert!(Instant::now() < until, "the writer does not take {line:?}");
                thread::sleep(Duration::from_millis(1));
            }
        }

        fn order(&self, end: io::Result<usize>) {
            self.orders.send(end).unwrap();
        }

        /// From now on everything.
        fn let_pass(&mut self) {
            self.orders = channel().0;
        }

        fn written(&self) -> String {
            String::from_utf8(self.writes.recv_timeout(DEADLINE).unwrap()).unwrap()
        }

        fn lost(&self) -> u64 {
            self.sink.lost().load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_line_after_a_silence_is_written_at_once_and_those_behind_it_together_in_order() {
        let stage = Stage::set();
        stage.log_and_hold("first");
        let others: Vec<_> = (0..1000).map(|number| format!("line {number}")).collect();
        others.iter().for_each(|line| stage.log(line));
        stage.order(Ok(usize::MAX));
        assert_eq!(stage.written(), "first\n");
        stage.order(Ok(usize::MAX));
        assert_eq!(stage.written(), others.join("\n") + "\n");
        assert_eq!(stage.lost(), 0);
    }

    #[test]
    fn lines_of_threads_are_never_mixed() {
        let mut stage = Stage::set();
        thread::scope(|scope| {
            for name in ["a", "b"] {
                let stage = &stage.sink;
                scope.spawn(move || {
                    for number in 0..2000 {
                        let line = format!("{name} {number} {}\n", name.repeat(100));
                        stage.make_writer().write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        stage.let_pass();
        stage.sink.flush(DEADLINE);
        let all = String::from_utf8(stage.writes.try_iter().flatten().collect()).unwrap();
        for name in ["a", "b"] {
            let expected = (0..2000).map(|number| format!("{name} {number} {}", name.repeat(100)));
            assert!(all.lines().filter(|line| line.starts_with(name)).eq(expected), "{name}");
        }
        assert_eq!(all.lines().count(), 4000);
    }

    #[test]
    fn nobody_waits_for_an_output_that_takes_nothing_and_what_is_dropped_is_told() {
        let mut stage = Stage::set();
        stage.log_and_hold("held");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let fits = (MOST / line.len()) as u64;
        (0..fits + 5).for_each(|_| stage.sink.take(&line, false, MOST));
        assert_eq!(stage.lost(), 5);
        stage.log("what is wrong is told all the same");
        assert_eq!(stage.lost(), 5);
        stage.sink.flush(Duration::from_millis(1));
        stage.let_pass();
        assert_eq!(stage.told.recv_timeout(DEADLINE), Ok((5, 5)));
        let all = stage.writes.try_iter().collect::<Vec<_>>().concat();
        assert_eq!(lines(&all), 1 + fits + 1);
        assert!(all.ends_with(b"what is wrong is told all the same\n"));
    }

    #[test]
    fn a_flush_waits_for_all_that_was_logged_before_it() {
        let mut stage = Stage::set();
        stage.let_pass();
        for number in 0..100 {
            stage.sink.take(format!("{number}\n").as_bytes(), false, MOST);
            stage.sink.flush(DEADLINE);
            assert_eq!(
                stage.writes.try_iter().flatten().collect::<Vec<_>>(),
                format!("{number}\n").as_bytes()
            );
        }
    }

    #[test]
    fn an_output_that_fails_loses_lines_and_not_their_number() {
        let mut stage = Stage::set();
        stage.log_and_hold("whole");
        stage.log("torn in the middle");
        stage.log("lost");
        stage.order(Err(ErrorKind::WouldBlock.into()));
        stage.order(Err(ErrorKind::Interrupted.into()));
        stage.order(Ok(usize::MAX));
        stage.order(Ok(4));
        stage.order(Err(ErrorKind::StorageFull.into()));
        assert_eq!((stage.written(), stage.written()), ("whole\n".to_owned(), "torn".to_owned()));
        stage.sink.flush(DEADLINE);
        assert_eq!(stage.lost(), 2);
        stage.log_and_hold("after");
        stage.let_pass();
        assert_eq!((stage.written(), stage.written()), ("\n".to_owned(), "after\n".to_owned()));
        assert_eq!(stage.told.recv_timeout(DEADLINE), Ok((2, 2)));
    }
}
