//! `vectors.json`: every step with values made by Python's cryptography and by GSTN itself.

use gstn::crypto::{
    AppKey, AspEk, AspSecret, Certificate, FileKey, PrivateKey, Rek, Sek, base64, evc_sid, evc_sign,
    evc_verify, getkey_sign, getkey_verify, hmac_sha256, sha256_hex,
};
use gstn::envelope::Reply;
use gstn::getkey::GetKeyStamp;
use serde_json::{Value, json};

use crate::text;

fn vectors(section: &str) -> Value {
    serde_json::from_str::<Value>(&text("vectors.json")).unwrap()[section].take()
}

fn str_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key}"))
}

fn bytes_of(value: &Value, key: &str) -> Vec<u8> {
    base64::decode_strict(str_of(value, key)).unwrap()
}

fn sek_of(value: &Value, key: &str) -> Sek {
    Sek::try_from_slice(&bytes_of(value, key)).unwrap()
}

#[test]
fn an_asp_proves_itself_by_its_signature() {
    let getkey = vectors("getkey");
    let key = PrivateKey::from_pkcs8_der(&bytes_of(&getkey, "asp_private_key_pkcs8_der_b64")).unwrap();
    let certificate = Certificate::from_pem(str_of(&getkey, "asp_certificate_pem")).unwrap();
    assert_eq!(certificate.public_key(), key.public_key());
    assert_eq!(certificate.subject(), "CN=Vector ASP");
    let aspid = str_of(&getkey, "aspid");
    let signatures = getkey["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 4);
    for signature in signatures {
        let (timestamp, signed) = (str_of(signature, "timestamp"), str_of(signature, "signed_content"));
        assert_eq!(getkey_sign(&key, aspid, timestamp).unwrap(), signed);
        getkey_verify(certificate.public_key(), aspid, timestamp, signed).unwrap();
        getkey_verify(certificate.public_key(), aspid, &timestamp[1..], signed).unwrap_err();
        getkey_verify(certificate.public_key(), "7857622156", timestamp, signed).unwrap_err();
        assert_eq!(GetKeyStamp::parse(timestamp).unwrap().to_string(), timestamp);
    }
    let instants = signatures
        .iter()
        .map(|signature| GetKeyStamp::parse(str_of(signature, "timestamp")).unwrap().instant().to_string());
    let (november, new_year) = ("2026-11-22T04:45:30Z", "2026-12-31T18:30:00Z");
    assert!(instants.eq([november, november, november, new_year]));
}

#[test]
fn an_asp_session_key_goes_under_the_secret_and_the_secret_under_the_session_key() {
    let getkey = vectors("getkey");
    let secret = AspSecret::try_from_slice(str_of(&getkey, "asp_secret").as_bytes()).unwrap();
    let session_key = AspEk::try_from_slice(&bytes_of(&getkey, "session_key_b64")).unwrap();
    let (enc_key, header) = (str_of(&getkey, "enc_key"), str_of(&getkey, "asp_secret_header"));
    assert_eq!(secret.seal_session_key(&session_key), enc_key);
    assert_eq!(secret.open_session_key(enc_key).unwrap(), session_key);
    assert_eq!(session_key.seal_asp_secret(&secret), header);
    assert_eq!(session_key.open_asp_secret(header).unwrap(), secret);
    let url_safe = format!(" {} ", header.replace('+', "-").replace('/', "_"));
    assert_eq!(session_key.open_asp_secret(&url_safe).unwrap(), secret);
}

#[test]
fn a_taxpayer_logs_in() {
    let login = vectors("taxpayer_login");
    let gstn = PrivateKey::from_pkcs8_der(&bytes_of(&login, "gstn_private_key_pkcs8_der_b64")).unwrap();
    let certificate = Certificate::from_pem(str_of(&login, "gstn_certificate_pem")).unwrap();
    assert_eq!(certificate.public_key(), gstn.public_key());

    let app_key = AppKey::try_from_slice(&bytes_of(&login, "app_key_b64")).unwrap();
    let ascii = AppKey::try_from_slice(str_of(&login, "app_key_ascii").as_bytes()).unwrap();
    assert_eq!(AppKey::open(str_of(&login, "app_key_rsa"), &gstn).unwrap(), app_key);
    assert_eq!(AppKey::open(str_of(&login, "app_key_ascii_rsa"), &gstn).unwrap(), ascii);
    let sent = app_key.encrypt_for(certificate.public_key()).unwrap();
    assert_eq!(sent.len(), 344);
    assert_eq!(AppKey::open(&sent, &gstn).unwrap(), app_key);

    let (otp, sealed_otp) = (str_of(&login, "otp"), str_of(&login, "otp_encrypted"));
    assert_eq!(app_key.encrypt_otp(otp), sealed_otp);
    assert_eq!(*app_key.decrypt_otp(sealed_otp).unwrap(), otp);

    let (sek, sealed_sek) = (sek_of(&login, "sek_plain_b64"), str_of(&login, "sek"));
    assert_eq!(app_key.seal_sek(&sek), sealed_sek);
    assert_eq!(app_key.open_sek(sealed_sek).unwrap(), sek);
}

#[test]
fn a_refresh_brings_its_app_key_under_the_session_key() {
    let refresh = vectors("refresh");
    let sek = sek_of(&refresh, "sek_plain_b64");
    let app_key = AppKey::try_from_slice(&bytes_of(&refresh, "new_app_key_b64")).unwrap();
    let field = str_of(&refresh, "app_key_field");
    assert_eq!(sek.seal_app_key(&app_key), field);
    assert_eq!(sek.open_app_key(field).unwrap(), app_key);
}

#[test]
fn payloads_travel_in_both_directions() {
    let entries = vectors("data");
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        let sek = sek_of(entry, "sek_plain_b64");
        let json = str_of(entry, "json").as_bytes();

        let request = &entry["request"];
        let (data, hmac) = (str_of(request, "data"), str_of(request, "hmac"));
        let sealed = sek.encrypt_request(json);
        assert_eq!((sealed.data.as_str(), sealed.hmac.as_str()), (data, hmac));
        assert_eq!(sek.decrypt_request(data, Some(hmac)).unwrap(), json);
        assert_eq!(sek.decrypt_request(data, None).unwrap(), json);
        assert_eq!(*sek.decrypt_request_text(data, Some(hmac)).unwrap(), base64::encode(json));

        let reply = &entry["reply"];
        let (data, hmac) = (str_of(reply, "data"), str_of(reply, "hmac"));
        let rek = Rek::try_from_slice(&bytes_of(reply, "rek_plain_b64")).unwrap();
        assert_eq!(sek.seal_rek(&rek), str_of(reply, "rek"));
        let sealed = rek.encrypt_reply(json);
        assert_eq!((sealed.data.as_str(), sealed.hmac.as_str()), (data, hmac));
        assert_eq!(sek.open_reply(&whole_reply(reply)).unwrap(), json);
    }
}

fn whole_reply(parts: &Value) -> Reply {
    serde_json::from_value(
        json!({"status_cd": "1", "data": parts["data"], "rek": parts["rek"], "hmac": parts["hmac"]}),
    )
    .unwrap()
}

#[test]
fn a_return_is_signed_by_evc() {
    let evc = vectors("evc");
    let summary = base64::encode(str_of(&evc, "summary_json"));
    let (sid, sign) = (str_of(&evc, "sid"), str_of(&evc, "sign"));
    assert_eq!(evc_sid("AANCS2882A", "575757"), sid);
    assert_eq!(evc_sign("AANCS2882A", "575757", &summary), sign);
    evc_verify("AANCS2882A", "575757", &summary, sign).unwrap();
    evc_verify("AANCS2882A", "575758", &summary, sign).unwrap_err();
    evc_verify("AANCS2882B", "575757", &summary, sign).unwrap_err();
    evc_verify("AANCS2882A", "575757", &summary[1..], sign).unwrap_err();
}

#[test]
fn a_large_reply_comes_as_a_file() {
    let file = vectors("file");
    assert_eq!(sha256_hex(&bytes_of(&file, "tar_gz_b64")), str_of(&file, "hash"));
    let key = FileKey::from_base64(str_of(&file, "ek")).unwrap();
    let (inside, json) = (text("file-inner.txt"), str_of(&file, "json"));
    assert_eq!(key.encrypt_file(json.as_bytes()), inside);
    assert_eq!(key.decrypt_file(&inside).unwrap(), json.as_bytes());
    assert_eq!(key.decrypt_file(&format!("{inside}\r\n")).unwrap(), json.as_bytes());
}

#[test]
fn the_sample_that_gstn_published_opens() {
    let sample = vectors("gstn_public_sample");
    let app_key = AppKey::try_from_slice(&bytes_of(&sample, "app_key_b64")).unwrap();
    let sek = app_key.open_sek(str_of(&sample, "sek")).unwrap();
    assert_eq!(sek, sek_of(&sample, "ek_b64"));
    assert_eq!(app_key.seal_sek(&sek), str_of(&sample, "sek"));
    let rek = sek.open_rek(str_of(&sample, "rek")).unwrap();
    assert_eq!(rek.as_bytes()[..], bytes_of(&sample, "rek_plain_b64"));

    let json = str_of(&sample, "json").as_bytes();
    assert_eq!(sek.open_reply(&whole_reply(&sample)).unwrap(), json);
    assert_eq!(rek.decrypt_reply(str_of(&sample, "data"), Some(str_of(&sample, "hmac"))).unwrap(), json);
    let sealed = rek.encrypt_reply(json);
    assert_eq!(sealed.data, str_of(&sample, "data"));
    assert_eq!(sealed.hmac, base64::encode(hmac_sha256(rek.as_bytes(), base64::encode(json).as_bytes())));
    assert_eq!(sealed.hmac, str_of(&sample, "hmac"));
}
