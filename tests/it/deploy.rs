//! What is in `deploy/` fits together: files that parse, configurations that load, names and ports that are each other's.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use wayshift::config;

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    let parts = text.split("\n---\n").map(serde_saphyr::from_str);
    parts.map(|part| part.unwrap_or_else(|error| panic!("{path}: {error}"))).collect()
}

/// Loads a configuration as the node does, with these variables.
fn load(text: &str, variables: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("wayshift.toml").display().to_string();
    let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    if let Err(problems) = config::load_text(&place, text, &env) {
        panic!("{text}\n{variables:?}\n{problems}");
    }
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_fleet_in_containers_fits_together() {
    let compose = documents("compose.yaml").remove(0);
    let text = read("compose.toml");
    let services = compose["services"].as_object().unwrap();
    let of = |kind: &str| services.values().filter(|service| service["image"] == kind).collect::<Vec<_>>();
    let (nodes, members) = (of("wayshift"), of("wayshift-etcd"));
    assert_eq!((nodes.len(), members.len()), (3, 3));

    let mut names = BTreeSet::new();
    for node in &nodes {
        let environment = node["environment"].as_object().unwrap();
        let variables: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        load(&text, &variables);
        names.insert(environment["WAYSHIFT_NODE"].clone().to_string());
        // What is published is what is listened on, and the name server's address is the node's.
        let ports = strings(&node["ports"]);
        assert!(ports.len() == 2 && ports.iter().all(|port| port.contains(":5353/")), "{ports:?}");
        assert!(text.contains("listen = [\"0.0.0.0:5353\"]"));
        let address = node["networks"]["fleet"]["ipv4_address"].as_str().unwrap();
        assert!(text.contains(&format!("\"{address}\"")), "{address} is no name server");
        assert!(strings(&node["volumes"]).iter().any(|volume| volume.ends_with(":/var/lib/wayshift")));
        assert!(strings(&node["volumes"]).contains(&"./compose.toml:/etc/wayshift/wayshift.toml:ro"));
        assert_eq!(node["build"]["dockerfile"], "deploy/Dockerfile");
    }
    assert_eq!(names.len(), 3, "each node has a name of its own");

    for (name, member) in services.iter().filter(|(_, service)| service["image"] == "wayshift-etcd") {
        let environment = &member["environment"];
        assert_eq!(environment["ETCD_NAME"], *name);
        assert!(environment["ETCD_INITIAL_CLUSTER"].as_str().unwrap().contains(&format!("{name}=http://{name}:2380")));
        assert!(text.contains(&format!("http://{name}:2379")), "no node asks {name}");
        assert_eq!(environment["ETCD_PRE_VOTE"], "true");
    }
    let webs = services.iter().filter(|(name, _)| name.starts_with("web-"));
    for (name, web) in webs {
        let address = web["networks"]["fleet"]["ipv4_address"].as_str().unwrap();
        assert!(text.contains(&format!("address = \"{address}\"")), "{name} is no endpoint");
    }
    // Every volume that is named is one.
    for volume in services.values().flat_map(|service| strings(&service["volumes"])) {
        let name = volume.split(':').next().unwrap();
        let known = name.starts_with("./") || compose["volumes"].as_object().unwrap().contains_key(name);
        assert!(known, "{volume}");
    }
}

#[test]
fn the_manifests_of_a_region_fit_together() {
    let documents_of_all = documents("kubernetes/wayshift.yaml");
    let by = |kind: &str| documents_of_all.iter().find(|one| one["kind"] == kind).unwrap();
    let (config, set) = (by("ConfigMap"), by("DaemonSet"));
    let text = config["data"]["wayshift.toml"].as_str().unwrap();
    let pod = &set["spec"]["template"]["spec"];
    let node = &pod["containers"][0];
    assert_eq!(set["spec"]["selector"]["matchLabels"], set["spec"]["template"]["metadata"]["labels"]);

    // The folders that the configuration names are mounted, from what is there.
    let mounts: Vec<&Value> = node["volumeMounts"].as_array().unwrap().iter().collect();
    let mounted = |path: &str| mounts.iter().find(|mount| mount["mountPath"] == path).map(|mount| &mount["name"]);
    let volumes: Vec<&Value> = pod["volumes"].as_array().unwrap().iter().map(|volume| &volume["name"]).collect();
    for path in ["/etc/wayshift", "/etc/wayshift-etcd", "/var/lib/wayshift", "/run/wayshift"] {
        assert!(mounted(path).is_some_and(|name| volumes.contains(&name)), "{path}");
    }
    assert_eq!(pod["volumes"][0]["configMap"]["name"], config["metadata"]["name"]);

    // The probes ask routes that need no token, where the node listens.
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let get = &node[probe]["httpGet"];
        let place = format!("\"{}:{}\"", get["host"].as_str().unwrap(), get["port"]);
        assert!(text.contains(&place), "{probe}: nobody listens on {place}");
        let expected = if probe == "readinessProbe" { "/readyz" } else { "/livez" };
        assert_eq!(get["path"], expected, "{probe}");
    }
    assert_eq!(pod["hostNetwork"], true, "the probes ask loopback");

    // In each region the configuration loads, with the variables that the pod has.
    let secrets = tempfile::tempdir().unwrap();
    ["ca.pem", "node.pem", "node.key"]
        .iter()
        .for_each(|file| fs::write(secrets.path().join(file), "-----BEGIN PRIVATE KEY-----\n").unwrap());
    let text = text.replace("/etc/wayshift-etcd", &secrets.path().display().to_string());
    let own: Vec<&str> = node["env"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(own, ["WAYSHIFT_NODE", "HOST_IP"]);
    for region in ["eu", "us", "ap"] {
        let all = documents(&format!("kubernetes/region-{region}.yaml"));
        let map = all.iter().find(|one| one["kind"] == "ConfigMap").unwrap();
        assert_eq!(map["metadata"]["name"], node["envFrom"][0]["configMapRef"]["name"]);
        assert!(all.iter().any(|one| one["kind"] == "Namespace" && one["metadata"]["name"] == "wayshift"));
        let data = map["data"].as_object().unwrap();
        assert_eq!(data["WAYSHIFT_REGION"], region);
        let mut variables: Vec<(&str, &str)> =
            data.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        variables.extend([("WAYSHIFT_NODE", "machine-1"), ("HOST_IP", "192.0.2.53")]);
        load(&text, &variables);
    }
}

#[test]
fn the_image_can_speak_to_etcd() {
    let file = read("Dockerfile");
    for part in ["protobuf-compiler", "libprotobuf-dev", "--features etcd"] {
        assert!(file.contains(part), "{part}");
    }
}
