//! What other servers run, as a configuration that is read.

use std::collections::BTreeMap;

use super::*;
use crate::model::{DnsName, Fleet, Steer};

/// The draft is a configuration, and this is its fleet.
fn fleet(draft: &Draft) -> std::sync::Arc<Fleet> {
    let toml = draft.toml();
    let found = problems(&toml, draft, None);
    assert_eq!(found, Vec::<String>::new(), "{toml}");
    let copy = |path: &str, text: &str| SourceFile { path: path.into(), text: text.to_owned() };
    let files = draft.files.iter().map(|(path, text)| copy(path, text));
    let copies: Vec<SourceFile> = std::iter::once(copy("wayshift.toml", &toml)).chain(files).collect();
    config::load_copies(&copies, &|_| None).unwrap().fleet
}

fn pools(fleet: &Fleet, service: &str) -> Vec<String> {
    let service = fleet.service(fleet.find_service(&service.parse().unwrap()).unwrap());
    service.arms.iter().map(|arm| fleet.pool(arm.pool).id.to_string()).collect()
}

#[test]
fn octodns_pools_become_pools_and_fallbacks_their_order() {
    let yaml = r#"
---
'':
  - { type: NS, values: [ns1.example.com., ns.other.net.] }
  - { type: MX, ttl: 600, values: [{ exchange: mx.example.com., preference: 10 }] }
ns1: { type: A, value: 192.0.2.53 }
txt: { type: TXT, value: 'v=spf1\; -all' }
old: { type: A, geo: { EU: [192.0.2.9] }, value: 192.0.2.1 }
www:
  - type: A
    ttl: 60
    values: [203.0.113.1]
    dynamic:
      pools:
        eu: { fallback: us, values: [{ value: 203.0.113.1, weight: 2 }, { value: 203.0.113.2, weight: 1 }] }
        us: { fallback: eu, values: [{ value: 203.0.113.3, status: down }] }
      rules:
        - { geos: [EU, AF-ZA], pool: eu }
        - { subnets: [10.0.0.0/8], pool: us }
        - { pool: us }
    octodns: { healthcheck: { host: www.example.com, path: /health, protocol: HTTPS } }
  - type: AAAA
    ttl: 60
    values: ['2001:db8::1']
"#;
    let parsed: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    let draft = octodns::convert(parsed.as_object().unwrap(), "example.com");
    let fleet = fleet(&draft);
    assert_eq!(pools(&fleet, "www-example-com"), ["www-example-com-us", "www-example-com-eu"]);
    let www = &fleet.services[0];
    assert_eq!((www.rules.len(), www.ttl), (2, 60));
    assert_eq!(www.rules[0].when.geo.iter().map(ToString::to_string).collect::<Vec<_>>(), ["EU", "AF-ZA"]);
    assert_eq!(fleet.checks[0].id.as_str(), "www-example-com");
    let left = draft.left_out.join("\n");
    for told in ["`geo` of old records", "status `down` of 203.0.113.3", "AAAA: it stands beside a dynamic record"] {
        assert!(left.contains(told), "{told}\n{left}");
    }
    assert!(fleet.zones[0].set(&"txt.example.com".parse().unwrap(), 16).is_some());
}

#[test]
fn what_octodns_would_not_take_is_listed_and_never_lost() {
    let yaml = r#"
'':
  - { type: NS, values: [ns1.example.com., 7] }
ns1: { type: A, value: 192.0.2.53 }
a: [id]
b: 5
c: { type: A }
d: [{ type: A, value: 192.0.2.1 }, 17, [x], ~]
e: { type: A, ttl: x, value: 192.0.2.2 }
f: { value: 192.0.2.3 }
g:
h: { type: A, values: [] }
i: { type: TXT, values: text }
j: { type: A, ttl: '60', value: 192.0.2.4 }
k: { type: A, dynamic: none, value: 192.0.2.5 }
l: { type: A, value: { x: 1 } }
www:
  type: A
  ttl: -1
  dynamic:
    pools:
      eu: { values: [{ value: 203.0.113.1, weight: heavy }, { valeu: 203.0.113.2 }] }
    rules: [{ geos: EU, pool: eu }, { pol: eu }, { pool: eu }]
  octodns: { healthcheck: https }
"#;
    let parsed: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    let draft = octodns::convert(parsed.as_object().unwrap(), "example.com");
    let mut told = draft.left_out.clone();
    for (start, words) in [
        ("example.com NS: ", "no name: 7"),
        ("a.example.com: ", r#"no record: "id""#),
        ("b.example.com: ", "no record: 5"),
        ("c.example.com A: ", "no `value`"),
        ("d.example.com: ", "no record: 17"),
        ("d.example.com: ", r#"no record: ["x"]"#),
        ("d.example.com: ", "no record: null"),
        ("e.example.com A: ", r#"`ttl` is no number of seconds, so the usual one stands there: "x""#),
        ("f.example.com: ", "no `type`"),
        ("g.example.com: ", "no record: null"),
        ("h.example.com A: ", "no `value`"),
        ("k.example.com A: ", "`dynamic` is no mapping"),
        ("l.example.com A: ", "not understood"),
        ("www.example.com: ", "`ttl` is no number"),
        ("www.example.com: ", r#"weight of 203.0.113.1 is no number up to 65535: "heavy""#),
        ("www.example.com: ", "a value that is not understood"),
        ("www.example.com: ", "not both lists"),
        ("www.example.com: ", r#"no pool: {"pol":"eu"}"#),
        ("www.example.com: ", "health check is no mapping"),
    ] {
        let at = told.iter().position(|line| line.starts_with(start) && line.contains(words));
        told.remove(at.unwrap_or_else(|| panic!("{start}{words} of {told:#?}")));
    }
    assert_eq!(told, Vec::<String>::new(), "each is told once");
    let fleet = fleet(&draft);
    assert!(fleet.services[0].rules.is_empty(), "a rule for some must not become one for all");
    let ttl = |name: &str| fleet.zones[0].set(&format!("{name}.example.com").parse().unwrap(), 1).map(|set| set.ttl);
    assert_eq!((ttl("d"), ttl("e"), ttl("j"), ttl("k")), (Some(3600), Some(3600), Some(60), Some(3600)));
    assert!(fleet.zones[0].set(&"i.example.com".parse().unwrap(), 16).is_some(), "one text is a list of one");
}

#[test]
fn gdnsd_resources_become_services() {
    let config = r#"
options => { listen => [127.0.0.1] }
service_types => {
  web => { plugin => "http_status", vhost => "www.example.com", url_path => "/health", interval => 5, down_thresh => 3, up_thresh => 2, ok_codes => [200, 204] }
  exotic => { plugin => extmon }
}
plugins => {
  multifo => { all => { service_types => web, up_thresh => 0.7, a => 192.0.2.1, b => 192.0.2.2 } }
  simplefo => { pair => { addrs_v4 => { primary => 192.0.2.3, secondary => 192.0.2.4 }, addrs_v6 => { primary => 2001:db8::3, secondary => 2001:db8::4 } } }
  weighted => { shares => { service_types => [exotic], one => [192.0.2.5, 3], two => [192.0.2.6, 1] } }
  geoip => {
    maps => { world => {
      geoip2_db => GeoLite2-City.mmdb, datacenters => [eu, us]
      auto_dc_coords => { eu => [50.1, 8.7], us => [38.9, -77] }
      map => { EU => { DE => [eu, us], default => [eu] }, NA => [us, eu], default => [us, eu] }
      nets => { 10.0.0.0/8 => [us] }
    } }
    resources => { www => { map => world, service_types => web, dcmap => { eu => multifo!all, us => { x => 192.0.2.8 } } } }
  }
  reflect => {}
}
"#;
    let zone = "@ 3600 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
                www 600/60 DYNA geoip!www\nall 30 DYNA multifo!all\n    DYNC weighted!none\npair DYNA simplefo!pair\n\
                shares DYNA weighted!shares\nme DYNA reflect\nplain A 192.0.2.99\n";
    let draft = gdnsd::convert(config, &BTreeMap::from([("example.com".to_owned(), zone.to_owned())])).unwrap();
    let fleet = fleet(&draft);
    assert_eq!(pools(&fleet, "geoip-www"), ["multifo-www-us", "multifo-all"]);
    let www = fleet.service(fleet.find_service(&"geoip-www".parse().unwrap()).unwrap());
    assert_eq!((www.steer, www.ttl, www.tuning.ttl_min), (Steer::Nearest, 600, 60));
    let codes: Vec<String> = www.rules.iter().flat_map(|rule| rule.when.geo.iter().map(ToString::to_string)).collect();
    assert_eq!((codes, www.rules[0].when.subnets.len()), (vec!["EU-DE".into(), "EU".into(), "NA".into()], 1));
    assert_eq!(pools(&fleet, "multifo-all"), ["multifo-all"]);
    let pair = fleet.pool(fleet.find_pool(&"simplefo-pair".parse().unwrap()).unwrap());
    assert_eq!(fleet.endpoint(pair.members[0].endpoint).addresses().count(), 2, "both families are one endpoint");
    let check = &fleet.checks[0];
    assert_eq!((check.id.as_str(), check.thresholds.fall, check.thresholds.rise), ("web", 3, 2));
    assert!(fleet.zones[0].set(&"plain.example.com".parse().unwrap(), 1).is_some());
    let left = draft.left_out.join("\n");
    for told in
        ["the plugin `extmon`", "weighted!none, for all.example.com", "reflect, for me.example.com", "options: listen"]
    {
        assert!(left.contains(told), "{told}\n{left}");
    }
}

#[test]
fn names_with_several_addresses_of_a_master_file_become_services() {
    let zone = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n\
                www A 192.0.2.1\nwww A 192.0.2.2\nwww AAAA 2001:db8::1\nwww TXT \"kept\"\none A 192.0.2.3\n";
    let draft = bind::convert(zone, "example.com", Path::new("x.zone")).unwrap();
    let fleet = fleet(&draft);
    assert_eq!(fleet.services.len(), 1);
    assert_eq!(fleet.services[0].names[0], "www.example.com".parse::<DnsName>().unwrap());
    assert_eq!((fleet.services[0].ttl, fleet.endpoints.len()), (300, 2));
    let set = |name: &str, kind| fleet.zones[0].set(&name.parse().unwrap(), kind).is_some();
    assert!(set("one.example.com", 1) && set("www.example.com", 16) && !set("www.example.com", 1));
}

#[test]
fn a_master_file_says_itself_which_zone_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let records = "@ 60 SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let zone =
        |path: &Path, told: Option<&str>| bind::read(path, told).map(|draft| fleet(&draft).zones[0].apex.to_string());
    let origin = format!("$ORIGIN example.org.\n{records}");
    assert_eq!(zone(&put("master.txt", &origin), None).unwrap(), "example.org.");
    assert_eq!(zone(&put("db.example.com", &origin), None).unwrap(), "example.org.", "the text knows better");
    assert_eq!(zone(&put("db.example.com", records), None).unwrap(), "example.com.");
    assert_eq!(zone(&put("named", records), Some("example.net")).unwrap(), "example.net.");
    let guessed = bind::read(&put("example.com.zone", records), None).unwrap();
    assert!(guessed.left_out.iter().any(|line| line.contains("--zone ZONE")), "{:?}", guessed.left_out);
    let unnamed = zone(&put("named", records), None).unwrap_err().to_string();
    assert!(
        unnamed.contains("named does not say which zone it is") && unnamed.contains("--zone example.com"),
        "{unnamed}"
    );
    let path = put("broken.zone", &format!("{origin}www A nowhere\n"));
    let broken = zone(&path, None).unwrap_err().to_string();
    assert!(broken.contains(&format!("{}:5:", path.display())), "{broken}");
    assert!(!broken.contains("wayshift.toml") && !broken.contains("the.zone"), "{broken}");
    let other = zone(&put("master.txt", &origin), Some("example.net")).unwrap_err().to_string();
    assert!(other.contains("its SOA stands at example.org."), "{other}");
}

#[test]
fn drafts_are_written_into_new_files_only() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "zones/a.zone", "one").unwrap();
    assert!(write(folder.path(), "zones/a.zone", "two").is_err());
    assert_eq!(std::fs::read_to_string(folder.path().join("zones/a.zone")).unwrap(), "one");
    assert_eq!(draft::id("*.Shop.Example.com."), "shop-example-com");
    assert_eq!(draft::id("__"), "x");
}
