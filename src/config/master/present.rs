//! Record data as master files write it: the way back from wire bytes.

use domain::{
    base::{
        ParsedName, Rtype,
        rdata::ParseAnyRecordData,
        zonefile_fmt::{DisplayKind, ZonefileFmt},
    },
    dep::octseq::Parser,
    rdata::AllRecordData,
};

/// The data of a record in presentation form; what cannot be read as its type, in the generic form (RFC 3597 section 5).
#[must_use]
pub fn present(kind: u16, rdata: &[u8]) -> String {
    let rtype = Rtype::from_int(kind);
    let mut parser = Parser::from_ref(rdata);
    let parsed = AllRecordData::<&[u8], ParsedName<&[u8]>>::parse_any_rdata(rtype, &mut parser);
    match parsed {
        Ok(data) if parser.remaining() == 0 && !matches!(data, AllRecordData::Unknown(_)) => {
            data.display_zonefile(DisplayKind::Simple).to_string()
        }
        Ok(_) | Err(_) => generic(rdata),
    }
}

fn generic(rdata: &[u8]) -> String {
    format!("\\# {} {}", rdata.len(), data_encoding::HEXUPPER.encode(rdata)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_text;

    #[test]
    fn what_is_presented_is_read_back_the_same() {
        let records = r#"
a     A     192.0.2.1
a     AAAA  2001:db8::1
b     CNAME a
m     MX    10 mail
t     TXT   "v=1; a \"b\" \\ c" "second"
s     SRV   1 2 443 a
c     CAA   0 issue "letsencrypt.org"
h     HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1
k     SSHFP 1 1 123456789ABCDEF67890123456789ABCDEF67890
n     NAPTR 100 50 "s" "http+I2L" "" _http._tcp.example.
x     TYPE65400 \# 3 010203
l     LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
"#;
        let text = |records: &str| {
            format!("[zone.\"example\"]\nns = {{ ns1 = \"192.0.2.53\" }}\nrecords = '''\n{records}'''\n")
        };
        let load = |records: &str| load_text("t.toml", &text(records), &|_| None).unwrap_or_else(|e| panic!("{e}"));
        let first = load(records);
        let mut again = String::new();
        for node in first.fleet.zones[0].nodes.iter() {
            let owner = node.owner();
            let sets = node.sets.iter();
            for set in sets.filter(|set| !matches!(set.kind, 2 | 6) && !owner.to_string().starts_with("ns1.")) {
                for rdata in set.rdata() {
                    let word = Rtype::from_int(set.kind);
                    again.push_str(&format!("{owner} {} {word} {}\n", set.ttl, present(set.kind, rdata)));
                }
            }
        }
        assert_eq!(load(&again).fleet.zones[0].nodes, first.fleet.zones[0].nodes, "{again}");
        assert_eq!(present(1, &[192, 0, 2]), "\\# 3 C00002");
        assert_eq!(present(65400, &[]), "\\# 0");
    }
}
