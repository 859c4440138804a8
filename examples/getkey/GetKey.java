// GetKey in one file, to be copied: open a session at the GSP, call with it, renew it.
//
//   java GetKey.java                           the demonstration at the end of this file
//   java GetKey.java --selftest vectors.json   the known answers, without a network
//
// Needs JDK 17, and nothing else. Settings are environment variables; secrets do not belong on a command line, which
// every user of the machine can read:
//
//   SUVIDHA_GATEWAY      where the GSP listens, such as https://gsp.example.in
//   SUVIDHA_ASPID        the ten digits
//   SUVIDHA_ASP_SECRET   the 32 characters of the ASP secret; the account password is something else
//   SUVIDHA_ASP_KEY      a PEM file: the private key whose certificate the GSP has registered
//   SUVIDHA_CA           optional, a PEM file: the CA of the gateway's TLS certificate, if it is a private one
//   SUVIDHA_GSTIN        optional: whom to search

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.*;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.*;
import java.time.format.DateTimeFormatter;
import java.util.*;
import java.util.regex.Pattern;
import javax.crypto.*;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Calls, and the session they need. One session serves all calls, parallel ones too: share one object. */
public final class GetKey {
    private static final ZoneOffset IST = ZoneOffset.ofHoursMinutes(5, 30);
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("ddMMyyyyHHmmss");
    private static final Duration MARGIN = Duration.ofMinutes(1); // A session is replaced so long before it ends.
    private static final SecureRandom RANDOM = new SecureRandom();

    private final HttpClient http;
    private final String url;
    private final String aspid;
    private final String secret;
    private final PrivateKey key;
    private Instant ends = Instant.EPOCH;
    private Map<String, String> session;

    GetKey(HttpClient http, String url, String aspid, String secret, PrivateKey key) {
        if (secret.getBytes(UTF_8).length != 32) {
            throw new IllegalArgumentException("SUVIDHA_ASP_SECRET must have 32 characters");
        }
        this.http = http;
        this.url = url.replaceAll("/$", "");
        this.aspid = aspid;
        this.secret = secret;
        this.key = key;
    }

    /** The GSP, or GSTN behind it, said no. */
    static final class Refused extends Exception {
        final String errorCd;

        Refused(int status, String reply) {
            super("%s (HTTP %d) %s%s".formatted(field(reply, "error_cd"), status, field(reply, "message"),
                field(reply, "remedy").transform(remedy -> remedy.isEmpty() ? "" : "\nremedy: " + remedy)));
            errorCd = field(reply, "error_cd");
        }
    }

    /** Any API. GSP022 says that the session ended early; a new one mends that. */
    String call(String method, String path, Map<String, String> headers, String body) throws Exception {
        var session = liveSession(null);
        try {
            return exchange(method, path, body, List.of(headers, session));
        } catch (Refused refused) {
            if (!refused.errorCd.equals("GSP022")) {
                throw refused;
            }
            return exchange(method, path, body, List.of(headers, liveSession(session)));
        }
    }

    /** The headers that say who we are. One thread opens a session, the others find it. */
    private synchronized Map<String, String> liveSession(Map<String, String> ended) throws Exception {
        if (session == ended || Instant.now().isAfter(ends.minus(MARGIN))) {
            getKey();
        }
        return session;
    }

    private void getKey() throws Exception {
        String timestamp = newTimestamp(); // A signed message serves once.
        String body = """
            {"timestamp":"%s","signed_content":"%s"}""".formatted(timestamp, sign(key, aspid, timestamp));
        String reply = exchange("POST", "/aspapi/v1.0/getKey", body, List.of(Map.of("aspid", aspid)));
        String header = aspSecretHeader(openSessionKey(secret, reply), secret);
        String sessionId = field(reply, "session_id");
        long validity = Long.parseLong(field(reply, "validity_min"));
        // Short-lived processes keep these two, as private as the secret, and take them up again.
        session = Map.of("aspid", aspid, "session-id", sessionId, "asp-secret", header);
        ends = Instant.now().plus(Duration.ofMinutes(validity));
        System.out.println("session_id=" + sessionId + " validity_min=" + validity);
    }

    private String exchange(String method, String path, String body, List<Map<String, String>> headers)
        throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url + path))
            .timeout(Duration.ofSeconds(30))
            .header("content-type", "application/json")
            .header("txn", randomHex(16))
            .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        headers.forEach(some -> some.forEach(request::header));
        HttpResponse<String> answer;
        try {
            answer = http.send(request.build(), BodyHandlers.ofString());
        } catch (IOException failure) {
            String why = failure.getMessage() == null ? "" : ": " + failure.getMessage();
            throw new IOException("no answer from " + url + why, failure);
        }
        if (answer.statusCode() >= 300 || field(answer.body(), "status_cd").equals("0")) {
            throw new Refused(answer.statusCode(), answer.body());
        }
        return answer.body();
    }

    /** ddMMyyyyHHmmss in IST, whatever the zone of this machine, and a tail that makes it unique. */
    static String newTimestamp() {
        return OffsetDateTime.now(IST).format(STAMP) + randomHex(3);
    }

    /** RSA, PKCS#1 v1.5, SHA-256: over the aspid, then the timestamp, with nothing in between. */
    static String sign(PrivateKey key, String aspid, String timestamp) throws GeneralSecurityException {
        var signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key);
        signature.update((aspid + timestamp).getBytes(UTF_8));
        return Base64.getEncoder().encodeToString(signature.sign());
    }

    /**
     * AES-256 under the secret as it is written, not decoded from base64. While the GSP changes a secret, enc_key is
     * under the old one and enc_key_next under the new one.
     */
    static byte[] openSessionKey(String secret, String reply) throws GeneralSecurityException {
        for (String name : new String[] {"enc_key", "enc_key_next"}) {
            try {
                byte[] sealed = Base64.getDecoder().decode(field(reply, name));
                byte[] sessionKey = aes(Cipher.DECRYPT_MODE, secret.getBytes(UTF_8), sealed);
                if (sessionKey.length == 32) {
                    return sessionKey;
                }
            } catch (BadPaddingException | IllegalBlockSizeException e) {
                // It was encrypted under another secret.
            }
        }
        throw new GeneralSecurityException(
            "enc_key does not open: SUVIDHA_ASP_SECRET is not the ASP secret of this environment");
    }

    /** What proves us on each call: the secret, under the session key. */
    static String aspSecretHeader(byte[] sessionKey, String secret) throws GeneralSecurityException {
        return Base64.getEncoder().encodeToString(aes(Cipher.ENCRYPT_MODE, sessionKey, secret.getBytes(UTF_8)));
    }

    /** What Java calls PKCS5Padding is PKCS#7 here: 32 bytes become 48. */
    private static byte[] aes(int mode, byte[] key, byte[] bytes) throws GeneralSecurityException {
        var cipher = Cipher.getInstance("AES/ECB/PKCS5Padding");
        cipher.init(mode, new SecretKeySpec(key, "AES"));
        return cipher.doFinal(bytes);
    }

    /** A member of a JSON object as text; empty if it is not there. Where you have a JSON library, use that. */
    static String field(String json, String name) {
        String value = "(?:\"((?:[^\"\\\\]|\\\\.)*)\"|([^\\s\",{}\\[\\]]+))";
        var found = Pattern.compile("\"" + name + "\"\\s*:\\s*" + value).matcher(json);
        if (!found.find()) {
            return "";
        }
        return found.group(1) == null ? found.group(2) : found.group(1).replaceAll("\\\\([\"/\\\\])", "$1");
    }

    private static String randomHex(int bytes) {
        byte[] random = new byte[bytes];
        RANDOM.nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    /** A key in PKCS#8, `BEGIN PRIVATE KEY`; `openssl pkcs8 -topk8 -nocrypt -in KEY` turns another one into that. */
    private static PrivateKey loadKey() throws IOException {
        String file = setting("SUVIDHA_ASP_KEY");
        try {
            String pem = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----", "");
            byte[] pkcs8 = Base64.getMimeDecoder().decode(pem);
            return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        } catch (IOException | GeneralSecurityException | IllegalArgumentException failure) {
            throw new IOException(file + " cannot be read as a private key in PKCS#8: " + failure, failure);
        }
    }

    private static HttpClient connect(String ca) throws IOException, GeneralSecurityException {
        // Redirects are not followed: our headers are for the GSP alone.
        var http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10));
        if (ca != null) {
            var trusted = KeyStore.getInstance(KeyStore.getDefaultType());
            trusted.load(null, null);
            try (var file = Files.newInputStream(Path.of(ca))) {
                trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            }
            var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(trusted);
            var tls = SSLContext.getInstance("TLS");
            tls.init(null, trust.getTrustManagers(), null);
            http.sslContext(tls);
        }
        return http.build();
    }

    private static String setting(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    private static void demonstrate() throws Exception {
        var http = connect(System.getenv("SUVIDHA_CA"));
        String url = setting("SUVIDHA_GATEWAY");
        var gsp = new GetKey(http, url, setting("SUVIDHA_ASPID"), setting("SUVIDHA_ASP_SECRET"), loadKey());
        gsp.search();
        gsp.ends = Instant.EPOCH; // As if hours had passed: the next call finds its session about to end.
        gsp.search();
    }

    private void search() throws Exception {
        String gstin = System.getenv().getOrDefault("SUVIDHA_GSTIN", "29DEMOS1234D1ZG");
        // What GSTN wants of a call; for a taxpayer's own data add `username`, `auth-token` and `ret_period`.
        var headers = Map.of("gstin", gstin, "state-cd", gstin.substring(0, 2), "ip-usr", "127.0.0.1");
        String reply = call("GET", "/commonapi/v1.1/search?action=TP&gstin=" + gstin, headers, null);
        System.out.println("search status_cd=" + field(reply, "status_cd"));
    }

    private static boolean selftest(String file) throws Exception {
        String known = Files.readString(Path.of(file));
        String secret = field(known, "asp_secret");
        byte[] sessionKey = openSessionKey(secret, known.replace("enc_key", "enc_key_next"));
        String encoded = Base64.getEncoder().encodeToString(sessionKey);
        boolean right = same("session key", encoded, field(known, "session_key_b64"));
        right &= same("asp-secret", aspSecretHeader(sessionKey, secret), field(known, "asp_secret_header"));
        PrivateKey key = loadKey();
        for (String one : known.split("\\{")) {
            String timestamp = field(one, "timestamp");
            if (!timestamp.isEmpty()) {
                right &= same(timestamp, sign(key, field(known, "aspid"), timestamp), field(one, "signed_content"));
            }
        }
        return right;
    }

    private static boolean same(String what, String ours, String theirs) {
        System.out.println((ours.equals(theirs) ? "ok " : "WRONG ") + what);
        return ours.equals(theirs);
    }

    public static void main(String[] arguments) {
        try {
            if (arguments.length == 2 && arguments[0].equals("--selftest")) {
                System.exit(selftest(arguments[1]) ? 0 : 1);
            }
            demonstrate();
        } catch (Exception failure) {
            System.err.println("error: " + (failure.getMessage() == null ? failure : failure.getMessage()));
            System.exit(1);
        }
    }
}
