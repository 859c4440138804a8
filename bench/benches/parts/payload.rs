//! A payload on its way to GSTN and back, beside each of its primitives on the same bytes.
//!
//! The primitives are the libraries' best: streaming AES, and buffers that are there already. So their sum is what the path
//! would cost if it were nothing but them, one after the other.

use std::hint::black_box;

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, StreamingDecryptingKey, StreamingEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::hmac;
use base64_simd::{AsOut, STANDARD};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use gstn::crypto::{Rek, Sek};

const SIZES: [(&str, usize); 6] = [
    ("1 KiB", 1 << 10),
    ("10 KiB", 10 << 10),
    ("100 KiB", 100 << 10),
    ("1 MB", 1_000_000),
    ("10 MB", 10_000_000),
    ("50 MB", 50_000_000),
];

const KEY: [u8; 32] = [7; 32];

pub(crate) fn bench(criterion: &mut Criterion) {
    for (name, size) in SIZES {
        let json = gstr1(size);
        let mut group = criterion.benchmark_group(format!("payload to GSTN, {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        encode(&mut group, &json);
        group.finish();

        let mut group = criterion.benchmark_group(format!("payload from GSTN, {name}"));
        group.throughput(Throughput::Bytes(size as u64));
        decode(&mut group, &json);
        group.finish();
    }
}

/// So many bytes of invoices.
fn gstr1(size: usize) -> Vec<u8> {
    let invoice =
        br#"{"inum":"S008400","idt":"24-11-2026","val":729248.16,"pos":"06","rchrg":"N","inv_typ":"R"},"#;
    invoice.iter().copied().cycle().take(size).collect()
}

fn encode(group: &mut BenchmarkGroup<'_, WallTime>, json: &[u8]) {
    let sek = Sek::from_bytes(KEY);
    group.bench_function("whole", |bencher| bencher.iter(|| sek.encrypt_request(black_box(json))));

    let text = STANDARD.encode_to_string(json);
    let mut sealed = vec![0; text.len() + 32];
    let length = encrypt(text.as_bytes(), &mut sealed);
    sealed.truncate(length);

    group.bench_function("base64 of the JSON", |bencher| {
        let mut out = vec![0; text.len()];
        bencher.iter(|| STANDARD.encode(black_box(json), out.as_out()).len());
    });
    group.bench_function("HMAC-SHA256", |bencher| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
        bencher.iter(|| hmac::sign(&key, black_box(text.as_bytes())));
    });
    group.bench_function("AES-256-ECB", |bencher| {
        let mut out = vec![0; text.len() + 32];
        bencher.iter(|| encrypt(black_box(text.as_bytes()), &mut out));
    });
    group.bench_function("base64 of the ciphertext", |bencher| {
        let mut out = vec![0; sealed.len().div_ceil(3) * 4];
        bencher.iter(|| STANDARD.encode(black_box(&sealed), out.as_out()).len());
    });
}

fn decode(group: &mut BenchmarkGroup<'_, WallTime>, json: &[u8]) {
    let rek = Rek::from_bytes(KEY);
    let reply = rek.encrypt_reply(json);
    group.bench_function("whole", |bencher| {
        bencher
            .iter(|| rek.decrypt_reply(black_box(&reply.data), Some(&reply.hmac)).expect("what was sealed"));
    });

    let text = STANDARD.encode_to_string(json);
    let sealed = STANDARD.decode_to_vec(&reply.data).expect("what was encoded");
    group.bench_function("base64 of the ciphertext", |bencher| {
        let mut out = vec![0; sealed.len()];
        bencher.iter(|| STANDARD.decode(black_box(reply.data.as_bytes()), out.as_out()).map(|out| out.len()));
    });
    group.bench_function("AES-256-ECB", |bencher| {
        let mut out = vec![0; sealed.len() + 32];
        bencher.iter(|| decrypt(black_box(&sealed), &mut out));
    });
    group.bench_function("HMAC-SHA256", |bencher| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &KEY);
        bencher.iter(|| hmac::sign(&key, black_box(text.as_bytes())));
    });
    group.bench_function("base64 of the JSON", |bencher| {
        let mut out = vec![0; json.len()];
        bencher.iter(|| STANDARD.decode(black_box(text.as_bytes()), out.as_out()).map(|out| out.len()));
    });
}

fn unbound() -> UnboundCipherKey {
    UnboundCipherKey::new(&AES_256, &KEY).expect("32 bytes")
}

fn encrypt(plain: &[u8], out: &mut [u8]) -> usize {
    let mut key = StreamingEncryptingKey::ecb_pkcs7(unbound()).expect("AES-256");
    let written = key.update(plain, out).expect("there is room").written().len();
    written + key.finish(&mut out[written..]).expect("there is room").1.written().len()
}

fn decrypt(sealed: &[u8], out: &mut [u8]) -> usize {
    let mut key = StreamingDecryptingKey::ecb_pkcs7(unbound(), DecryptionContext::None).expect("AES-256");
    let written = key.update(sealed, out).expect("there is room").written().len();
    written + key.finish(&mut out[written..]).expect("what was sealed").written().len()
}
