//! What the API tells, the command line reads. The two rooms never see each other, so that is held here.

use crate::{admin::views::samples, cli};

#[test]
fn every_kind_of_event_is_read_by_the_client_as_it_was_told() {
    for view in samples::one_of_each() {
        let written = serde_json::to_string(&view).unwrap();
        let told = serde_json::to_value(&view).unwrap();
        let read = cli::read_event(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read.id, view.id, "{written}");
        assert_eq!(read.at, Some(view.at), "{written}");
        assert_eq!((read.kind.as_str(), &read.text), (told["kind"].as_str().unwrap(), &view.text), "{written}");
        assert!(read.line.contains(&read.kind) && read.line.contains(&view.text), "{written}: {}", read.line);
    }
}
