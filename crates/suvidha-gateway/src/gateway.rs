//! Starts the data plane, gives it a new configuration, and brings it to rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gstn::Environment;
use suvidha_seam::Seam;
use suvidha_store::Registry;
use tokio::runtime;
use tokio::sync::watch;
use tracing::error;

use crate::accounts::Accounts;
use crate::config::{Config, EnvironmentConfig, Ledger};
use crate::keeper::{self, Errand};
use crate::lane::{self, Phase};
use crate::plane::{Door, Plane};
use crate::readers::Readers;
use crate::recorder::Recorder;
use crate::site::{self, StartError};
use crate::status::Status;
use crate::trace::{Exporter, Exporting, Tracer};

/// The data plane.
pub struct Gateway;

impl Gateway {
    /// Validates `config`, opens every listener and serves calls on threads of its own. Calls are taken from
    /// the moment it returns.
    ///
    /// # Errors
    /// Whatever makes the configuration unusable; nothing is left running then.
    pub fn start(config: Config, registry: Registry, seam: Seam) -> Result<Running, StartError> {
        let threads = threads(&config);
        let sites = site::build(&config, threads)?;
        for own in config.environments.iter().filter(|own| own.identify.session) {
            registry.ensure_session_key(own.environment)?;
        }
        registry.set_patience(keeper::PATIENCE)?;
        let (errands, to_keeper) = mpsc::channel();
        let tracing = config.trace.as_ref().map(|trace| Tracer::new(trace, seam.clone())).transpose()?;
        let (tracer, exporter) = tracing.unzip();
        let plane = Arc::new(Plane::new(&registry, seam, threads, tracer, errands)?);
        let books = books(&config, threads, &plane.seam)?;
        let readers = config.ledger.as_ref().map(|_| Readers::start()).transpose()?;
        let (mut doors, mut listeners) = (Vec::new(), Vec::new());
        for ((site, own), books) in sites.into_iter().zip(&config.environments).zip(books) {
            let environment = own.environment;
            let opened = lane::listen(own.listen, threads);
            let (address, of_each_thread) =
                opened.map_err(|source| StartError::Listen { environment, address: own.listen, source })?;
            let ledger = config.ledger.as_ref().map(|ledger| ledger.file(environment));
            let shelf = readers.as_ref().zip(ledger).map(|(readers, ledger)| readers.shelf(ledger));
            doors.push(Arc::new(Door::new(Arc::clone(&plane), address, site, books, shelf)));
            listeners.push(of_each_thread.into_iter());
        }
        let house = Arc::new(House { plane, doors, threads, config: Mutex::new(config) });
        let (phase, watch) = watch::channel(Phase::Open);
        let (done, lanes_done) = mpsc::channel();
        let exporting = exporter.map(Exporter::start).transpose().map_err(StartError::Thread)?;
        let mut running = Running {
            house: Arc::clone(&house),
            phase,
            lanes: Vec::new(),
            lanes_done,
            keeper: None,
            exporting,
        };
        for lane in 0..threads {
            let doors = house.doors.iter().cloned().zip(listeners.iter_mut().filter_map(Iterator::next));
            let (doors, watch, done) = (doors.collect(), watch.clone(), done.clone());
            let runtime =
                runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
            running.lanes.push(spawn(format!("suvidha-lane-{lane}"), move || {
                if let Err(error) = runtime.block_on(lane::serve(lane, doors, watch)) {
                    error!(target: "suvidha::gateway", %error, lane, "a thread cannot serve");
                }
                // Whatever is left of its calls ends, and is settled, here.
                drop(runtime);
                let _ = done.send(());
            })?);
        }
        let thread = spawn("suvidha-keeper".to_owned(), move || keeper::keep(&house, &registry, &to_keeper))?;
        running.keeper = Some(thread);
        Ok(running)
    }
}

/// A running data plane. Dropping it ends every call at once; [`drain`](Self::drain) lets them finish.
pub struct Running {
    house: Arc<House>,
    phase: watch::Sender<Phase>,
    lanes: Vec<JoinHandle<()>>,
    lanes_done: Receiver<()>,
    keeper: Option<JoinHandle<()>>,
    exporting: Option<Exporting>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Every call under way was answered in time.
    pub finished: bool,
    /// How many calls were cut off at the deadline.
    pub aborted: usize,
}

impl Running {
    /// Where `environment` listens, with the port that was taken; `None` where it is not configured.
    pub fn address(&self, environment: Environment) -> Option<SocketAddr> {
        self.house.doors.iter().find(|door| door.environment == environment).map(|door| door.address)
    }

    /// The gateway as its operator sees it.
    pub fn status(&self) -> Status {
        Status::of(Arc::clone(&self.house))
    }

    /// Puts a new configuration in force for every call from now on. It is validated first; when it is not
    /// usable the old one stays.
    ///
    /// # Errors
    /// What is wrong with `config`, or [`StartError::FixedUntilRestart`]: addresses, threads and the set of
    /// environments.
    pub fn reload(&self, config: Config) -> Result<(), StartError> {
        self.house.reload(config)
    }

    /// Announces the end on `/readyz` for `timeouts.drain_announce_ms`, then takes no more calls, lets those
    /// under way finish for at most `deadline`, and stops. Blocks.
    pub fn drain(mut self, deadline: Duration) -> DrainReport {
        let plane = Arc::clone(&self.house.plane);
        plane.announce_drain();
        thread::sleep(self.house.config().timeouts.drain_announce());
        plane.close();
        let _ = self.phase.send(Phase::Closing);
        let until = Instant::now() + deadline;
        let left = |_: &JoinHandle<()>| {
            let wait = until.saturating_duration_since(Instant::now());
            self.lanes_done.recv_timeout(wait).is_err()
        };
        let finished = !self.lanes.iter().any(left);
        let aborted = if finished { 0 } else { plane.calls.load(Ordering::Relaxed) };
        self.stop();
        DrainReport { finished: aborted == 0, aborted }
    }

    fn stop(&mut self) {
        self.house.plane.cut_off();
        let _ = self.phase.send(Phase::Over);
        for lane in self.lanes.drain(..) {
            let _ = lane.join();
        }
        if let Some(thread) = self.keeper.take() {
            let _ = self.house.plane.errands.send(Errand::Stop);
            let _ = thread.join();
        }
        // Last, for whatever ended until now has left an entry.
        self.house.recorders().for_each(Recorder::stop);
        if let Some(exporting) = self.exporting.take() {
            exporting.stop();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The data plane's fixed parts, and the configuration in force.
pub(crate) struct House {
    pub(crate) plane: Arc<Plane>,
    pub(crate) doors: Vec<Arc<Door>>,
    threads: usize,
    config: Mutex<Config>,
}

impl House {
    fn reload(&self, config: Config) -> Result<(), StartError> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        check_fixed(&current, &config)?;
        self.furnish(&config)?;
        if let Some(ledger) = &config.ledger {
            self.recorders().for_each(|recorder| recorder.set_durability(ledger.durability));
        }
        *current = config;
        Ok(())
    }

    /// The same configuration once more, for its files have changed.
    pub(crate) fn read_files_again(&self) -> Result<(), StartError> {
        self.furnish(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every file of the configuration in force.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        site::files(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those in which ASPs may have GSP sessions now.
    pub(crate) fn environments_with_sessions(&self) -> Vec<Environment> {
        let with_sessions = self.doors.iter().filter(|door| door.site.load().identify.session);
        with_sessions.map(|door| door.environment).collect()
    }

    /// The ledgers, where calls are recorded.
    pub(crate) fn recorders(&self) -> impl Iterator<Item = &Recorder> {
        self.doors.iter().filter_map(|door| door.recorder.as_ref())
    }

    /// All or nothing: every new site is made before the first takes its place.
    fn furnish(&self, config: &Config) -> Result<(), StartError> {
        for site in site::build(config, self.threads)? {
            if let Some(door) = self.doors.iter().find(|door| door.environment == site.environment) {
                door.site.store(Arc::new(site));
            }
        }
        Ok(())
    }

    fn config(&self) -> Config {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn check_fixed(old: &Config, new: &Config) -> Result<(), StartError> {
    let fixed = |what: String| Err(StartError::FixedUntilRestart { what });
    if old.threads != new.threads {
        return fixed("threads".to_owned());
    }
    check_ledger_fixed(old.ledger.as_ref(), new.ledger.as_ref())?;
    if old.trace != new.trace {
        return fixed("trace".to_owned());
    }
    let listening = |config: &Config, environment: Environment| {
        config.environments.iter().find(|own| own.environment == environment).map(|own| own.listen)
    };
    for own in old.environments.iter().chain(&new.environments) {
        let environment = own.environment;
        match (listening(old, environment), listening(new, environment)) {
            (Some(before), Some(after)) if before == after => {}
            (Some(_), Some(_)) => return fixed(format!("the {environment} listener's address")),
            _ => return fixed("the set of environments".to_owned()),
        }
    }
    Ok(())
}

/// All of it but the durability.
fn check_ledger_fixed(old: Option<&Ledger>, new: Option<&Ledger>) -> Result<(), StartError> {
    let fixed = |what: &str| Err(StartError::FixedUntilRestart { what: what.to_owned() });
    match (old, new) {
        (Some(old), Some(new)) if old.directory != new.directory => fixed("ledger.directory"),
        (Some(old), Some(new)) if old.gather_us != new.gather_us => fixed("ledger.gather"),
        (Some(old), Some(new)) if old.retention_months != new.retention_months => fixed("ledger.retention"),
        (Some(_), None) | (None, Some(_)) => fixed("whether calls are recorded"),
        _ => Ok(()),
    }
}

/// The accounts of each environment, as its ledger left them, and what records its calls.
fn books(config: &Config, threads: usize, seam: &Seam) -> Result<Vec<Books>, StartError> {
    let books = |own: &EnvironmentConfig| {
        let accounts = Arc::new(Accounts::new(seam.clone()));
        let Some(ledger) = &config.ledger else { return Ok((accounts, None)) };
        let recorder = Recorder::open(ledger, own.environment, threads, seam.clone(), &accounts)?;
        Ok((accounts, Some(recorder)))
    };
    config.environments.iter().map(books).collect()
}

type Books = (Arc<Accounts>, Option<Recorder>);

fn threads(config: &Config) -> usize {
    match config.threads {
        0 => thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    thread::Builder::new().name(name).spawn(work).map_err(StartError::Thread)
}
