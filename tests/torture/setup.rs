//! Who is where, and the configuration that all nodes have but for their own names.

use std::{fmt::Write as _, net::Ipv4Addr};

use crate::{seal::Seal, wan::Site};

/// The nodes: three beside a member of etcd, and two at the edge.
pub(crate) const NODES: [(&str, &str, &str, Site); 5] = [
    ("eu-1", "eu", "aws", site(1, 0)),
    ("us-1", "us", "gcp", site(2, 1)),
    ("ap-1", "ap", "dc", site(3, 2)),
    ("sa-1", "sa", "aws", site(4, 3)),
    ("af-1", "af", "gcp", site(5, 4)),
];
/// Where endpoints are.
pub(crate) const SITES: [Site; 3] = [site(11, 0), site(12, 1), site(13, 2)];
/// Who asks.
pub(crate) const CLIENT: Site = Site { number: 20, region: 9, near: true };

/// Endpoints: name, provider, region, address. The first three serve `www` one after the other and `all` together.
pub(crate) const ENDPOINTS: [(&str, &str, &str, Ipv4Addr); 5] = [
    ("a1", "aws", "eu", Ipv4Addr::new(10, 77, 11, 1)),
    ("g1", "gcp", "us", Ipv4Addr::new(10, 77, 12, 1)),
    ("d1", "dc", "ap", Ipv4Addr::new(10, 77, 13, 1)),
    ("a2", "aws", "eu", Ipv4Addr::new(10, 77, 11, 2)),
    ("g2", "gcp", "us", Ipv4Addr::new(10, 77, 12, 2)),
];

/// What is asked for, in turn.
pub(crate) const NAMES: [&str; 3] = [WWW, ALL, DUO];
pub(crate) const WWW: &str = "www.gslb.example.com";
pub(crate) const ALL: &str = "all.gslb.example.com";
/// Two endpoints, one of which a rule keeps.
pub(crate) const DUO: &str = "duo.gslb.example.com";

const fn site(number: u8, region: u8) -> Site {
    Site { number, region, near: false }
}

/// The address of an endpoint.
pub(crate) fn address(endpoint: &str) -> Ipv4Addr {
    if let Some(number) = endpoint.strip_prefix('c').and_then(|number| number.parse::<u8>().ok()) {
        return Ipv4Addr::new(10, 77, 11 + number % 3, 100 + number);
    }
    ENDPOINTS.iter().find(|(name, ..)| *name == endpoint).expect("the endpoint is known").3
}

/// What differs between worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Plain,
    /// With forty endpoints more, in a service of their own.
    Crowd,
    /// etcd speaks TLS and asks for certificates.
    Sealed,
}

/// How many endpoints a crowd has.
pub(crate) const CROWD: u8 = 40;

fn tls(seal: &Seal, name: &str) -> String {
    let [ca, cert, key] = [seal.ca(), seal.certificate(name), seal.key(name)].map(|path| path.display().to_string());
    format!("tls = {{ ca = \"{ca}\", cert = \"{cert}\", key = {{ file = \"{key}\" }} }}\n")
}

/// The file of one node.
pub(crate) fn config(node: usize, flavour: Flavour, seal: Option<&Seal>) -> String {
    let (name, region, provider, _) = NODES[node];
    // The nearest member first; the edges begin with different ones.
    let scheme = if seal.is_some() { "https" } else { "http" };
    let members = (0..3).map(|at| format!("\"{scheme}://{}:2379\"", NODES[(node + at) % 3].3.address()));
    let members: Vec<String> = members.collect();
    let mut text = format!(
        "[node]\nname = \"{name}\"\nregion = \"{region}\"\nprovider = \"{provider}\"\n\
         [store.etcd]\nendpoints = [{}]\nprefix = \"/torture/\"\n{}\
         [provider.aws]\n[provider.gcp]\n[provider.dc]\n\
         [region.eu]\nat = [50, 8]\n[region.us]\nat = [39, -77]\n[region.ap]\nat = [35, 139]\n\
         [region.sa]\nat = [-23, -46]\n[region.af]\nat = [-26, 28]\n\
         [zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n\
         [verdict]\nstale_after = \"6s\"\nflap = {{ changes = 8, within = \"30s\", hold = \"10s\", max = \"20s\" }}\n\
         [safety]\nrules = [{{ name = \"one-side\", keep = 1, of = [\"endpoint:a2\", \"endpoint:g2\"] }}]\n\
         [check.web]\nurl = \"http://www.example.com/\"\ninterval = \"{}\"\ntimeout = \"800ms\"\nrecheck = \"500ms\"\n\
         fall = 2\nrise = 2\ncooldown = \"0s\"\n[endpoint]\n",
        members.join(", "),
        seal.map(|seal| tls(seal, name)).unwrap_or_default(),
        // Five nodes probe a crowd on one machine.
        if flavour == Flavour::Crowd { "4s" } else { "1s" },
    );
    for (id, provider, region, address) in ENDPOINTS {
        writeln!(text, "{id} = {{ provider = \"{provider}\", region = \"{region}\", address = \"{address}\" }}")
            .unwrap();
    }
    if flavour == Flavour::Crowd {
        for number in 0..CROWD {
            let at = usize::from(number) % 3;
            // Half of them are at one provider, the others each at a site's own.
            let provider = if number < CROWD / 2 { "crowd" } else { ENDPOINTS[at].1 };
            let (region, address) = (ENDPOINTS[at].2, address(&format!("c{number}")));
            writeln!(
                text,
                "c{number} = {{ provider = \"{provider}\", region = \"{region}\", address = \"{address}\" }}"
            )
            .unwrap();
        }
        text = text.replace("[provider.dc]\n", "[provider.dc]\n[provider.crowd]\n");
    }
    text.push_str(
        "[pool]\naws = { endpoints = [\"a1\"] }\ngcp = { endpoints = [\"g1\"] }\ndc = { endpoints = [\"d1\"] }\n\
         all = { endpoints = [\"a1\", \"g1\", \"d1\"] }\nduo = { endpoints = [\"a2\", \"g2\"] }\n",
    );
    if flavour == Flavour::Crowd {
        let all: Vec<String> = (0..CROWD).map(|number| format!("\"c{number}\"")).collect();
        writeln!(text, "crowd = {{ endpoints = [{}], count = 8 }}", all.join(", ")).unwrap();
    }
    let service = |name: &str, pools: &str| {
        format!(
            "[service.{name}]\nnames = [\"{name}.gslb.example.com\"]\npools = [{pools}]\ncheck = \"web\"\nttl = \"1s\"\n\
             ttl_min = \"1s\"\n"
        )
    };
    text.push_str(&service("www", "\"aws\", \"gcp\", \"dc\""));
    text.push_str(&service("all", "\"all\""));
    text.push_str(&service("duo", "\"duo\""));
    if flavour == Flavour::Crowd {
        text.push_str(&service("crowd", "\"crowd\""));
    }
    text
}
