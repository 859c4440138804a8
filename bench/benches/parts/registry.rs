//! The registry's snapshot: what it takes to make one of 10,000 ASPs, and to find an ASP in it.

use std::cell::OnceCell;
use std::hint::black_box;
use std::path::Path;

use criterion::Criterion;
use gstn::{AspId, Environment, SecretString};
use suvidha_seam::Seam;
use suvidha_store::{NewAsp, NewToken, Registry, SealingKeys, Snapshot};
use tempfile::TempDir;

const ASPS: usize = 10_000;
const ENVIRONMENT: Environment = Environment::Production;

pub(crate) fn bench(criterion: &mut Criterion) {
    // Made when first used: a filter may leave it out.
    let registered = OnceCell::new();
    let registered = || registered.get_or_init(Registered::new);
    let mut group = criterion.benchmark_group("registry of 10,000 ASPs");

    group.bench_function("the snapshot made", |bencher| {
        let registry = &registered().registry;
        bencher.iter(|| registry.snapshot().expect("a sound registry"));
    });
    group.bench_function("an ASP by its token", |bencher| {
        let Registered { snapshot, asps, now, .. } = registered();
        let mut each = asps.iter().cycle();
        bencher.iter(|| {
            each.next().map(|asp| black_box(snapshot.by_token(ENVIRONMENT, asp.token.expose(), *now)))
        });
    });
    group.bench_function("an ASP by its aspid, as for a session", |bencher| {
        let Registered { snapshot, asps, .. } = registered();
        let mut each = asps.iter().cycle();
        bencher.iter(|| each.next().map(|asp| black_box(snapshot.asp(&asp.aspid))));
    });
    group.bench_function("an ASP by its password", |bencher| {
        let Registered { snapshot, asps, .. } = registered();
        let mut each = asps.iter().cycle();
        bencher.iter(|| {
            each.next().map(|asp| {
                black_box(snapshot.by_password(ENVIRONMENT, &asp.aspid, asp.password.expose()));
            })
        });
    });
    group.finish();
}

/// An ASP, and what it identifies itself by.
struct Asp {
    aspid: AspId,
    token: SecretString,
    password: SecretString,
}

struct Registered {
    registry: Registry,
    snapshot: Snapshot,
    asps: Vec<Asp>,
    now: jiff::Timestamp,
    _directory: TempDir,
}

impl Registered {
    /// Each has a token, a password and an ASP secret. They have no certificates: those are parsed once, when a process first
    /// sees them.
    fn new() -> Self {
        let seam = Seam::system();
        let directory = directory();
        let keys =
            SealingKeys::create_file(&directory.path().join("sealing.key"), &seam).expect("a new file");
        let registry = Registry::open(&directory.path().join("registry.sqlite"), keys, seam.clone());
        let registry = registry.expect("a new registry");
        let asps = (0..ASPS).map(|number| register(&registry, number)).collect();
        let snapshot = registry.snapshot().expect("a sound registry");
        Self { registry, snapshot, asps, now: seam.now(), _directory: directory }
    }
}

/// In memory where there is such a place: each of the 30,000 changes waits for the disk, and is not what is measured.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
    TempDir::new_in(parent).expect("a directory for a registry")
}

fn register(registry: &Registry, number: usize) -> Asp {
    let new = NewAsp {
        name: format!("ASP {number}"),
        contact_name: "Bench".to_owned(),
        email: "bench@example.com".to_owned(),
        phone: "+911234567890".to_owned(),
    };
    let aspid = registry.add_asp(new).expect("a new ASP").aspid;
    let token = registry.issue_token(&aspid, ENVIRONMENT, NewToken::default()).expect("a new token").token;
    let password = registry.enrol(&aspid, ENVIRONMENT).expect("an enrolled ASP").password;
    Asp { aspid, token, password }
}
