//! Mistakes in the keys of steering, brakes and tests: each at its line, with its correction.

use super::{
    steering::{check, service},
    *,
};

#[test]
fn values_of_steering_are_judged() {
    let share = "is not a share from 0% to 50%, in hundredths of a percent at most";
    for (more, expected) in [
        ("trickle = \"51%\"", format!("2 E033 `51%` {share}")),
        ("trickle = \"0.001%\"", format!("2 E033 `0.001%` {share}")),
        ("trickle = \"+1%\"", format!("2 E033 `+1%` {share}")),
        ("ttl_min = \"40s\"", "2 E029 `ttl_min` of 40s is above the TTL of 30s".into()),
        ("ttl_min = 5", "2 E007 a duration needs a unit".into()),
        ("sticky = { v4 = 33 }", "2 E008 `v4` is out of range".into()),
        ("sticky = \"yes\"", "2 E005 `sticky` is a string here".into()),
        ("spread = { regions = 2 }", "2 E003 `spread` has no key `regions`".into()),
        ("https = { alpn = [] }", "2 E008 `alpn` has 0 items".into()),
        ("https = { alpn = [\"h 2\"] }", "2 E016 `h 2` is not an ALPN protocol id".into()),
        ("https = { alpn = [\"h2\", \"h2\"] }", "2 E011 `h2` stands twice in one list".into()),
        ("steer = \"nearst\"", "2 E009 `nearst` is not a value of this key".into()),
        (
            "[pool.r]\nendpoints = [\"a\", \"b\"]\nramp = \"2m\"",
            "4 E029 `ramp` does nothing in a pool that answers all its endpoints".into(),
        ),
        (
            "[pool.r]\nendpoints = { a = 1, b = 2 }\nanswer = \"all\"",
            "4 E029 weights do nothing in a pool that answers all its endpoints".into(),
        ),
        ("[defaults]\nttl_min = \"31s\"", "3 E029 `ttl_min` of 31s is above the TTL of 30s".into()),
        ("[verdict]\nflap = \"off\"", "3 E005 `flap` is a string here".into()),
        ("[verdict]\nflap = { hold = \"1h\" }", "3 E029 the hold of 1h is above its `max` of 30m".into()),
        ("[safety]\nremoval_budget = { share = \"0%\" }", "3 E033 0% is no share to reach".into()),
        ("[dns]\ndebug_names = [\"127.0.0.1\"]", "3 E017 `127.0.0.1` is an address".into()),
    ] {
        check(&format!("pools = [\"p\"]\n{more}"), &expected);
    }
}

#[test]
fn rules_are_judged() {
    let code = "a geo code is a continent, with a country and its part behind it: EU, EU-DE, NA-US-CA; not `DE`";
    let net = "when = { subnet = \"10.0.0.0/8\" }\n";
    for (rule, expected) in [
        ("pools = [\"p\"]".into(), "2 E006 `rule` has no `when`".into()),
        ("when = {}\npools = [\"p\"]".into(), "3 E006 a rule without `when` would be for everybody".into()),
        (
            "when = { subnet = [] }\npools = [\"p\"]".into(),
            "3 E006 a rule without `when` would be for everybody".into(),
        ),
        ("when = { asn = 1 }".into(), "2 E006 `rule` has no `pools`".into()),
        ("when = { asn = 0 }\npools = [\"p\"]".into(), "3 E008 `asn` is out of range".into()),
        (
            "when = { asn = \"64500\" }\npools = [\"p\"]".into(),
            "3 E016 `64500` is not an AS number: 64500, or \"AS64500\"".into(),
        ),
        (
            "when = { subnet = \"10.0.0.1/8\" }\npools = [\"p\"]".into(),
            "3 E017 `10.0.0.1/8` has bits set behind its prefix".into(),
        ),
        ("when = { geo = \"DE\" }\npools = [\"p\"]".into(), format!("3 E034 {code}")),
        ("when = { geo = \"EU-XX\" }\npools = [\"p\"]".into(), "3 E034 there is no place with the code EU-XX".into()),
        (format!("{net}pools = [\"r\"]"), "4 E012 no pool is named `r`".into()),
        (
            format!("{net}pools = {{ p = 1, q = 1 }}\nsteer = \"random\""),
            "5 E029 weights of pools need steer = \"weighted\"".into(),
        ),
        (format!("{net}pools = [\"p\", \"p\"]"), "4 E011 pool `p` stands twice in one list".into()),
    ] {
        let (rule, expected): (String, String) = (rule, expected);
        check(&format!("pools = [\"p\", \"q\"]\n[[service.s.rule]]\n{rule}"), &expected);
    }
}

#[test]
fn slips_have_their_correction_beside_them() {
    let label = |more: &str| {
        let problems = load_text("x.toml", &service(more), &none).unwrap_err();
        let first = problems.errors().next().unwrap();
        first.places[0].label.clone()
    };
    for (when, expected) in [
        ("subnet = \"10.0.0.1/8\"", "write \"10.0.0.0/8\""),
        ("subnet = \"2001:db8::1\"", "write \"2001:db8::1/128\""),
        ("geo = \"DE\"", "did you mean `EU-DE`?"),
        ("geo = \"eu-de\"", "write \"EU-DE\""),
        ("geo = \"NA-DE\"", "did you mean `EU-DE`?"),
        ("geo = \"US-CA\"", "did you mean `NA-US-CA`?"),
    ] {
        let rule = format!("pools = [\"p\"]\n[[service.s.rule]]\nwhen = {{ {when} }}\npools = [\"q\"]\n");
        assert_eq!(label(&rule), expected, "{when}");
    }
    for (expect, expected) in [("nodata", "did you mean `NODATA`?"), ("gcp-euv", "did you mean `gcp-euw`?")] {
        let test = format!(
            "pools = [\"p\"]\n[[test]]\nname = \"x\"\nquery = \"s.gslb.example.com A\"\nexpect = \"{expect}\"\n\
             [endpoint.gcp-euw]\naddress = \"192.0.2.9\"\n"
        );
        assert_eq!(label(&test), expected, "{expect}");
    }
}

#[test]
fn endpoints_have_addresses_or_a_target_and_a_load_has_one_source() {
    let address = "address = \"192.0.2.9\"\n";
    let load = |load: &str| format!("{address}load = {{ {load} }}");
    for (endpoint, expected) in [
        (String::new(), "2 E006 endpoint `e` has neither `address` nor `target`"),
        (format!("{address}target = \"x.example.net.\""), "4 E029 an endpoint has either `address` or `target`"),
        ("target = \"192.0.2.9\"".into(), "3 E016 `192.0.2.9` is an address, and a target is a name"),
        ("target = \"cdn\"".into(), "3 E016 `cdn` is one label alone"),
        ("target = \"*.example.net\"".into(), "3 E016 a target is one name, not a wildcard"),
        (
            "target = \"s.gslb.example.com\"".into(),
            "3 E035 the target s.gslb.example.com. of endpoint `e` is steered here",
        ),
        (load(""), "4 E029 a load has neither `url` nor push = true"),
        (load("url = \"http://{address}/\""), "4 E029 a load with `url` has no `field`"),
        (
            load("url = \"http://{adress}/\", field = \"x\""),
            "4 E025 `{adress}` stands for nothing in the URL of a load",
        ),
        (load("url = \"tcp://{address}:1\", field = \"x\""), "4 E025 a load is read by http:// or https://"),
        (load("push = true, field = \"x\""), "4 E029 a pushed load has neither `url` nor `field`"),
        (
            load("url = \"http://{address}/\", field = \"x\", stale_after = \"9s\""),
            "4 E029 `stale_after` is for a pushed load",
        ),
        (format!("{address}resume = \"later\""), "4 E009 `later` is not a value of this key"),
        (format!("{address}[provider.x]\noutage_at = 50"), "5 E033 a percentage needs a unit"),
    ] {
        check(&format!("pools = [\"p\"]\n[endpoint.e]\n{endpoint}"), expected);
    }
}

#[test]
fn a_target_leads_nowhere_back() {
    let errors = |records: &str, target: &str| {
        problems(&format!(
            "[zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\nrecords = \"\"\"\n{records}\n\"\"\"\n\
             [endpoint]\nt = {{ target = \"{target}\" }}\na = {{ address = \"192.0.2.1\" }}\n\
             [service.s]\nnames = [\"s.gslb.example.com\", \"*.w.gslb.example.com\"]\nendpoints = [\"a\"]\n\
             check = \"http://x/\"\n"
        ))
    };
    assert_eq!(
        errors("x 60 CNAME y\ny 60 CNAME S", "x.gslb.example.com"),
        ["8 E035 the target x.gslb.example.com. of endpoint `t` leads to s.gslb.example.com., which is steered here"]
    );
    assert_eq!(
        errors("", "b.a.w.gslb.example.com"),
        ["7 E035 the target b.a.w.gslb.example.com. of endpoint `t` is steered here"]
    );
    // Its own records stand before a wildcard, and a circle of aliases is nobody's answer.
    assert_eq!(errors("b.w 60 A 192.0.2.7", "b.w.gslb.example.com"), Vec::<String>::new());
    assert_eq!(errors("x 60 CNAME y\ny 60 CNAME x", "x.gslb.example.com"), Vec::<String>::new());
}

#[test]
fn tests_of_a_configuration_are_judged() {
    let (query, expect) = ("query = \"s.gslb.example.com A\"", "expect = \"a\"");
    let asks = |query: &str| format!("query = \"{query}\"\n{expect}");
    for (test, expected) in [
        (expect.to_owned(), "2 E006 `test` has no `query`"),
        (query.to_owned(), "2 E006 `test` has no `expect`"),
        (format!("{query}\nexpect = []"), "5 E006 a test expects something"),
        (format!("{query}\nexpect = \"zzz\""), "5 E012 no endpoint or pool is named `zzz`"),
        (
            format!("{query}\n{expect}\ndown = \"aws\""),
            "6 E026 a selector is kind:name, as in provider:aws or region:eu-*; `aws` names no kind",
        ),
        (format!("{query}\n{expect}\ndrain = \"provider:azure\""), "6 E012 no provider is named `azure`"),
        (asks("www.example.org A"), "4 E019 the name www.example.org. lies in none of the zones"),
        (
            asks("s.gslb.example.com"),
            "4 E016 a question is a name and a type, and `from` with who asks: www.example.com A from EU-DE",
        ),
        (asks("s.gslb.example.com A from EU-XX"), "4 E016 there is no place with the code EU-XX"),
        (asks("s.gslb.example.com B"), "4 E016 `B` is not a record type"),
        (asks("s.gslb.example.com A from region:ap"), "4 E012 no region is named `ap`"),
        (
            format!("{query}\n{expect}\n[[test]]\nname = \"t\"\n{query}\n{expect}"),
            "7 E011 there are two tests called `t`",
        ),
    ] {
        check(&format!("pools = [\"p\"]\n[[test]]\nname = \"t\"\n{test}"), expected);
    }
}

#[test]
fn distance_needs_places() {
    let pool = "[pool.r]\nendpoints = [\"c\", \"d\"]\n[endpoint.d]\naddress = \"192.0.2.9\"";
    check(
        &format!("steer = \"nearest\"\npools = [\"r\"]\n{pool}"),
        "1 E029 `nearest` needs places, and no region of these pools has one",
    );
    check(
        &format!(
            "pools = [\"p\"]\n[[service.s.rule]]\nwhen = {{ subnet = \"10.0.0.0/8\" }}\npools = [\"r\"]\n\
             steer = \"fastest\"\n{pool}"
        ),
        "5 E029 `fastest` needs places, and no region of these pools has one",
    );
}
