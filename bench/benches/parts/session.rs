//! What shows that a call belongs to its session: `asp-secret`, the ASP's secret under the session's key.
//!
//! The gateway opens it for the first call of a session on a thread, and compares it with what was proven after that.

use std::hint::black_box;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use criterion::Criterion;
use gstn::crypto::{AspEk, AspSecret, base64, ct_eq};
use gstn::{AspId, Environment};
use suvidha_gateway::mint_session;
use suvidha_seam::Seam;
use suvidha_store::SessionKey;

pub(crate) fn bench(criterion: &mut Criterion) {
    let (secret, session_key) = (AspSecret::from_bytes([b's'; 32]), AspEk::from_bytes([7; 32]));
    let header = session_key.seal_asp_secret(&secret);
    let sealed = base64::decode_strict(&header).expect("what was encoded");
    let mut group = criterion.benchmark_group("session");

    group.bench_function("asp-secret compared with the one that was proven", |bencher| {
        let proven = header.clone();
        bencher.iter(|| ct_eq(black_box(header.as_bytes()), black_box(proven.as_bytes())));
    });
    group.bench_function("asp-secret opened and compared", |bencher| {
        bencher.iter(|| {
            let opened = black_box(&session_key).open_asp_secret(black_box(&header));
            opened.is_ok_and(|opened| opened.ct_eq(&secret))
        });
    });
    group.bench_function("AES alone, key schedule kept", |bencher| {
        let key = unbound(&session_key);
        bencher.iter(|| open(&key, &sealed));
    });
    group.bench_function("AES alone, key schedule made anew", |bencher| {
        bencher.iter(|| open(&unbound(black_box(&session_key)), &sealed));
    });
    group.bench_function("a session made: its id, and its key derived", |bencher| {
        let now = Seam::system().now();
        let (master, aspid) = (master(), AspId::new(7_857_622_155).expect("ten digits"));
        bencher.iter(|| mint_session(&master, Environment::Production, &aspid, now, 360, black_box([7; 16])));
    });
    group.finish();
}

/// A master key, as it comes from the registry.
pub(crate) fn master() -> SessionKey {
    SessionKey { id: 1, key: [7; 32].into(), mints_from: Seam::system().now() }
}

fn unbound(key: &AspEk) -> PaddedBlockDecryptingKey {
    let key = UnboundCipherKey::new(&AES_256, key.as_bytes()).expect("32 bytes");
    PaddedBlockDecryptingKey::ecb_pkcs7(key).expect("AES-256")
}

/// Three blocks, in place.
fn open(key: &PaddedBlockDecryptingKey, sealed: &[u8]) -> usize {
    let mut buffer = [0; 48];
    buffer.copy_from_slice(sealed);
    key.decrypt(&mut buffer, DecryptionContext::None).expect("what was sealed").len()
}
