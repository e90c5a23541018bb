//! What supervisors see on the operator's port.

use hyper::StatusCode;
use serde_json::json;

use crate::network;

#[test]
fn node_that_decides_is_alive_and_ready_and_names_its_checks() {
    let network = network::shared();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for path in ["/livez", "/readyz", "/healthz"] {
            let answer = network.metrics.get(path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
            assert_eq!(answer.text, "ok\n");
        }
        let answer = network.metrics.get("/readyz?verbose").await;
        assert_eq!(answer.body["ok"], json!(true));
        let checks = answer.body["checks"].as_array().unwrap().iter();
        let names: Vec<&str> = checks
            .map(|check| check["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "running",
                "synced",
                "quorum",
                "signs",
                "sequencer",
                "journal",
                "store",
                "disk"
            ]
        );
    });
}

#[test]
fn operators_port_serves_nothing_of_the_public_ones() {
    let network = network::shared();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let answer = network.metrics.post("/", "{}").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let answer = network.http.get("/readyz").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    });
}
