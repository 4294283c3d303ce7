//! Keys, rights and who is told: mistakes at their lines, and what is shown.

use super::*;

#[test]
fn secondaries_are_judged() {
    let key = "[tsig.xfr]\nsecret = \"QUJDRA==\"\n";
    let check = |zone: &str, more: &str, expected: &[&str]| {
        let text = format!(
            "[zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n{zone}\n{more}[check.x]\nurl = \"http://x/\"\n"
        );
        let found: Vec<String> = problems(&text).into_iter().filter(|problem| !problem.contains(" W2")).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        "transfer = { tsig = \"xfr\", allow = \"192.0.2.0/24\" }\nnotify = [\"192.0.2.99\", \"[::1]:5353\"]",
        key,
        &[],
    );
    check("transfer = {}", key, &["3 E006 `transfer` has neither `allow` nor `tsig`"]);
    check("transfer = { allow = [] }", key, &["3 E006 `transfer` has neither `allow` nor `tsig`"]);
    check("transfer = { tsig = \"xfer\" }", key, &["3 E012 no tsig is named `xfer`"]);
    check(
        "transfer = { alow = [\"10.0.0.0/8\"] }",
        "",
        &["3 E006 `transfer` has neither `allow` nor `tsig`", "3 E003 `transfer` has no key `alow`"],
    );
    check("transfer = { allow = \"192.0.2.1\" }", "", &["3 E017 `192.0.2.1` is an address"]);
    check(
        "notify = \"192.0.2.1\"",
        "",
        &["3 E029 who is told of a change may not fetch it: the zone has no `transfer`"],
    );
    check(
        "transfer = { allow = \"10.0.0.0/8\" }\nnotify = [\"192.0.2.1\", \"192.0.2.1:53\"]",
        "",
        &["4 E011 192.0.2.1:53 would be told twice"],
    );
    check(
        "transfer = { allow = \"10.0.0.0/8\" }\nnotify = \"ns.example\"",
        "",
        &["4 E017 `ns.example` is neither an address nor an address with port"],
    );
    let keys = |text: &str, expected: &[&str]| check("", text, expected);
    keys(
        "[tsig.xfr]\nalgorithm = \"hmac-md5\"\n",
        &["4 E006 tsig `xfr` has no `secret`", "5 E009 `hmac-md5` is not a value of this key"],
    );
    keys("[tsig.xfr]\nsecret = \"no base64\"\n", &["5 E014 a secret consists of visible ASCII characters"]);
    keys("[tsig.xfr]\nsecret = \"QUJDR\"\n", &["5 E014 the secret of a key is written in base64"]);
    keys("[tsig.xfr]\nsecret = { env = \"NONE\" }\n", &["5 E014 the variable NONE is not set"]);
    keys(
        "[tsig.xfr]\nsecret = \"QUJD\"\n[tsig.XFR]\nsecret = \"QUJD\"\n",
        &["6 E011 the key xfr. stands in two places"],
    );
}

#[test]
fn a_key_is_shown_without_its_secret() {
    let shown =
        loaded(&with("transfer = { tsig = \"xfr\" }\nnotify = \"192.0.2.99\"\n[tsig.xfr]\nsecret = \"QUJDRA==\"\n"));
    let shown = shown.effective();
    assert_eq!(shown["tsig"]["xfr."], serde_json::json!({ "algorithm": "hmac-sha256", "secret": "[redacted]" }));
    let zone = &shown["zone"]["gslb.example.com."];
    assert_eq!(zone["transfer"], serde_json::json!({ "allow": [], "tsig": "xfr." }));
    assert_eq!(zone["notify"], serde_json::json!(["192.0.2.99:53"]));
}
