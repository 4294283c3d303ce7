//! The page against its sample.

use super::*;

const SAMPLE: &str = r#"{
  "node": {"id":"eu-1","version":"0.1.0","started":"2026-11-23T09:00:00.000Z","uptime":"1h46m","generation":42,
    "digest":"00","config":"00","store_generation":3,"at":"2026-11-23T10:46:00.000Z"},
  "banners": ["the configuration on disk has errors; the accepted one of 09:00 serves"],
  "counts": {"services":{"total":3,"up":1,"degraded":1,"unknown":0,"down":1,"ordered_out":0},
    "endpoints":{"total":7,"up":5,"degraded":0,"unknown":0,"down":2,"ordered_out":1},"pools":4,"overrides":1,"planned":1},
  "services": [
    {"id":"mail","names":["mail."],"verdict":"down","none_healthy":true,"when_none_healthy":"serve-all","pools":[
      {"pool":"dc","up":0,"of":1,"active":true,"last_resort":false},
      {"pool":"sorry","up":0,"of":0,"active":false,"last_resort":true}],
      "answers":[{"type":"A","pools":["dc"],"endpoints":["dc-fra"]},{"type":"AAAA","pools":[],"endpoints":[]}]},
    {"id":"www","names":["www."],"verdict":"degraded","none_healthy":false,"when_none_healthy":"serve-all","pools":[
      {"pool":"us","up":1,"of":2,"active":true,"last_resort":false},
      {"pool":"ap","up":0,"of":1,"active":false,"last_resort":false}],
      "answers":[{"type":"A","pools":["us"],"endpoints":["gcp-use"]},{"type":"AAAA","pools":["us"],"endpoints":["gcp-use"]}]},
    {"id":"api-canary","names":["c."],"verdict":"up","none_healthy":false,"when_none_healthy":"serve-all","pools":[
      {"pool":"us","weight":95,"up":2,"of":2,"active":true,"last_resort":false},
      {"pool":"eu","weight":5,"up":3,"of":3,"active":true,"last_resort":false}],
      "answers":[{"type":"A","pools":["us","eu"],"endpoints":["a1","a2","a3","a4","a5","a6","a7"]},
                 {"type":"AAAA","pools":["us"],"endpoints":["a1"]}]}],
  "troubles": [
    {"id":"dc-fra","verdict":"down","pools":["dc"],"since":"2026-11-22T10:41:58.204Z","targets":[
      {"verdict":"down","cause":"no-votes","since":"2026-11-22T10:41:58.204Z","votes":{"up":0,"down":0,"abstained":1}}]},
    {"id":"aws-use","verdict":"down","pools":["us"],"since":"2026-11-23T10:41:58.204Z","targets":[
      {"verdict":"up","votes":{"up":3,"down":0}},
      {"verdict":"down","cause":"voted","since":"2026-11-23T10:41:58.204Z","votes":{"up":0,"down":3,"abstained":0},
       "last":{"outcome":"fail","reason":"timeout","detail":"connect timeout (2.0 s)\u001b[2J","phases":{"total_ms":2000.0}}}]},
    {"id":"aws-aps","verdict":"up","pools":["ap"],"since":"2026-09-01T08:00:00Z",
     "order":{"action":"drain","override":"ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6","since":"2026-11-23T10:24:00Z"},"targets":[]}],
  "overrides": [
    {"id":"ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6","action":"drain","target":"pool:ap","reason":"cert swap","by":"token:dana",
     "created":"2026-11-23T10:24:00Z","from":"2026-11-23T10:24:00Z","expires":"2026-11-23T11:24:10Z","over":"10m","state":"active","forced":false},
    {"id":"ov_01JD8ZK3T0B6W9E1Q2R3S4T5V7","action":"weight","weight":10,"target":"pool:us","reason":"ca\nnary","by":"uid:0",
     "created":"2026-11-23T10:24:00Z","from":"2026-11-23T12:46:10Z","expires":"2026-11-23T14:24:10Z","state":"planned","forced":true}]
}"#;

fn sample() -> Status {
    serde_json::from_str(SAMPLE).unwrap()
}

#[test]
fn the_page_tells_what_is_up_what_answers_and_what_is_overridden() {
    let now = "2026-11-23T10:46:10Z".parse().unwrap();
    let expected = "\
! the configuration on disk has errors; the accepted one of 09:00 serves
mail        ✖ down      dc 0/1 ✖  sorry 0/0 (last resort)  answering: dc (dc-fra), nothing is healthy: serve-all
            dc/dc-fra          ✖ down 1d   no votes   since 2026-11-22 10:41:58Z
www         ▲ degraded  us 1/2 ▲  ap 0/1 ✖                 answering: us (gcp-use)
            us/aws-use         ✖ down 4m11s   3 of 3 regions say down: connect timeout (2.0 s)\\u{1b}[2J   since 10:41:58Z
            ap/aws-aps         ◐ drained 22m10s   by ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6   since 10:24:00Z
api-canary  ● up        us 2/2 95%  eu 3/3 5%              answering: A us eu (a1, a2, a3, a4, a5, a6, and 1 more), AAAA us (a1)
overrides   drain over 10m  pool:ap  by token:dana  \"cert swap\"  ends in 38m  ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6
            weight 10  pool:us  by uid:0  \"ca\\u{a}nary\"  begins in 2h  ov_01JD8ZK3T0B6W9E1Q2R3S4T5V7  forced
node eu-1, generation 42: 3 services, 7 endpoints: 5 up, 2 down, 1 ordered out, 2 overrides.
";
    assert_eq!(page(&sample(), now, Paint(false)), expected);
}

#[test]
fn programs_get_one_line_a_thing() {
    let plain = fields(&sample()).plain();
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[1], "service\twww\tdegraded\tgcp-use,gcp-use");
    assert_eq!(lines[4], "endpoint\taws-use\tdown\t");
}

#[test]
fn an_empty_answer_is_a_page_too() {
    let page = page(&Status::default(), Wall(0), Paint(false));
    assert_eq!(page, "node , generation 0: 0 services, 0 endpoints, 0 overrides.\n");
}
