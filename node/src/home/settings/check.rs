//! What must hold between settings, checked before anything is opened or written.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use cloverleaf_storage::limits::WRITE_BUFFERS_BYTES_MIN;
use eyre::{Result, bail, eyre};
use hyper::Uri;
use hyper::http::uri::Scheme;
use tracing_subscriber::EnvFilter;

use super::NodeConfig;

impl NodeConfig {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// The first thing that cannot be, with what to change.
    pub(super) fn check(&self) -> Result<()> {
        self.check_listeners()?;
        self.check_log_filter()?;
        if !self.grpc.announce.is_empty() {
            check_url("grpc.announce", &self.grpc.announce)?;
        }
        let mut rollups = BTreeSet::new();
        for execution in &self.execution {
            let uri = check_url("execution.url", &execution.url)?;
            if uri.scheme() != Some(&Scheme::HTTP) {
                bail!(
                    "execution.url = \"{}\": execution RPCs are asked by http:// only; put a proxy in \
                     front of it that speaks https:// for this node",
                    execution.url
                );
            }
            if !rollups.insert(execution.chain_id) {
                bail!("execution names rollup {} twice", execution.chain_id);
            }
        }
        let mut peers = BTreeSet::new();
        for peer in &self.peers {
            if !peers.insert(&peer.peer_id) {
                bail!("peers names {} twice", peer.peer_id);
            }
        }
        self.check_floors()?;
        self.check_pool()?;
        self.check_store()
    }

    fn check_store(&self) -> Result<()> {
        let found = self.store.write_buffers_bytes;
        if found < WRITE_BUFFERS_BYTES_MIN {
            bail!(
                "store.write_buffers_bytes = {found}: it must be at least {WRITE_BUFFERS_BYTES_MIN}, or \
                 there is a table for every few blocks"
            );
        }
        Ok(())
    }

    /// D6: what is not taken in must be less than what is not written.
    fn check_floors(&self) -> Result<()> {
        let (soft, hard) = (
            self.store.disk_soft_floor_bytes,
            self.store.disk_hard_floor_bytes,
        );
        if soft < hard {
            bail!(
                "store.disk_soft_floor_bytes = {soft} is below store.disk_hard_floor_bytes = {hard}; \
                 raise the one or lower the other"
            );
        }
        Ok(())
    }

    fn check_pool(&self) -> Result<()> {
        let pool = &self.pool;
        let amounts = [
            ("transactions_max", pool.transactions_max == 0),
            ("bytes_max", pool.bytes_max == 0),
            ("sender_transactions_max", pool.sender_transactions_max == 0),
            ("transaction_lifetime_ms", pool.transaction_lifetime_ms == 0),
        ];
        if let Some((name, _)) = amounts.iter().find(|(_, is_zero)| *is_zero) {
            bail!("pool.{name} = 0: such a pool takes nothing in; it must be above 0");
        }
        Ok(())
    }

    fn check_listeners(&self) -> Result<()> {
        let listeners: [(&str, SocketAddr); 4] = [
            ("rpc", (self.rpc.address, self.rpc.port).into()),
            ("grpc", (self.grpc.address, self.grpc.port).into()),
            ("metrics", (self.metrics.address, self.metrics.port).into()),
            ("network", (self.network.address, self.network.port).into()),
        ];
        for (index, (name, address)) in listeners.iter().enumerate() {
            let overlaps = |other: &&(&str, SocketAddr)| {
                let (here, there) = (address.ip(), other.1.ip());
                let same = here == there || here.is_unspecified() || there.is_unspecified();
                same && address.port() == other.1.port() && address.port() != 0
            };
            if let Some((other, _)) = listeners[..index].iter().find(overlaps) {
                bail!("{other}.port and {name}.port are both {}", address.port());
            }
        }
        Ok(())
    }

    fn check_log_filter(&self) -> Result<()> {
        EnvFilter::try_new(&self.log.filter)
            .map_err(|error| eyre!("log.filter = \"{}\": {error}", self.log.filter))?;
        Ok(())
    }
}

fn check_url(key: &str, url: &str) -> Result<Uri> {
    let uri: Uri = url
        .parse()
        .map_err(|_| eyre!("{key} = \"{url}\" is no URL"))?;
    let authority = uri.authority();
    // Settings are shown and logged; a secret must not be among them.
    if authority.is_some_and(|it| it.as_str().contains('@')) {
        bail!("{key} names a user: secrets do not belong in settings");
    }
    match (uri.scheme_str(), authority) {
        (Some("http" | "https"), Some(_)) => Ok(uri),
        _ => bail!("{key} = \"{url}\" must begin with http:// and a host"),
    }
}

#[cfg(test)]
mod tests {
    use crate::home::settings::Layers;

    /// Without the names of the flags, which stand before it.
    fn refusal(flags: &[(&str, &str)]) -> String {
        let mut layers = Layers::new();
        for (key, text) in flags {
            layers = layers.flag(key, text).unwrap();
        }
        let refusal = layers.load().unwrap_err().to_string();
        let mut names: Vec<String> = flags.iter().map(|(key, _)| format!("--{key}")).collect();
        names.sort_unstable();
        let refused = refusal.strip_prefix(&format!("{}: ", names.join(", ")));
        refused.expect("it says who set what").to_owned()
    }

    #[test]
    fn two_listeners_on_one_port_are_refused_also_when_one_has_all_interfaces() {
        assert_eq!(
            refusal(&[("grpc.port", "4545")]),
            "rpc.port and grpc.port are both 4545"
        );
        let flags = [("rpc.address", "0.0.0.0"), ("network.port", "4545")];
        assert_eq!(refusal(&flags), "rpc.port and network.port are both 4545");
        let apart = Layers::new().flag("rpc.address", "127.0.0.2").unwrap();
        assert!(apart.flag("grpc.port", "4545").unwrap().load().is_ok());
    }

    #[test]
    fn secrets_in_urls_are_refused_without_being_repeated() {
        let text = r#"[{chain_id = 901, url = "http://user:hunter2@host/"}]"#;
        let refusal = refusal(&[("execution", text)]);
        assert!(refusal.contains("names a user"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn execution_rpcs_are_asked_by_http_and_a_proxy_may_announce_https() {
        let text = r#"[{chain_id = 901, url = "https://rollup.example"}]"#;
        let refusal = refusal(&[("execution", text)]);
        assert!(refusal.starts_with("execution.url = \"https://rollup.example\""));
        assert!(
            refusal.contains("http:// only; put a proxy in front"),
            "{refusal}"
        );
        let announced = Layers::new().flag("grpc.announce", "https://node.example");
        assert!(announced.unwrap().load().is_ok());
    }

    // Astria, audit of October 2024: a queue of length 0 switched soft blocks off in silence.
    #[test]
    fn pool_that_would_take_nothing_in_is_refused() {
        for name in [
            "transactions_max",
            "bytes_max",
            "sender_transactions_max",
            "transaction_lifetime_ms",
        ] {
            let refusal = refusal(&[(&format!("pool.{name}"), "0")]);
            assert!(
                refusal.starts_with(&format!("pool.{name} = 0")),
                "{refusal}"
            );
        }
    }

    // D6
    #[test]
    fn soft_floor_below_the_hard_one_is_refused_and_no_floor_is_none() {
        let refusal = refusal(&[("store.disk_soft_floor_bytes", "7")]);
        assert!(
            refusal.starts_with("store.disk_soft_floor_bytes = 7 is below"),
            "{refusal}"
        );
        let none = Layers::new().flag("store.disk_soft_floor_bytes", "0");
        let none = none.unwrap().flag("store.disk_hard_floor_bytes", "0");
        assert!(none.unwrap().load().is_ok());
    }

    #[test]
    fn what_is_no_filter_and_no_url_is_refused() {
        assert!(refusal(&[("log.filter", "cloverleaf=loud")]).starts_with("log.filter"));
        assert!(refusal(&[("grpc.announce", "somewhere")]).contains("must begin with http://"));
    }

    #[test]
    fn rollup_and_peer_are_named_once() {
        let execution = r#"[{chain_id = 1, url = "http://a"}, {chain_id = 1, url = "http://b"}]"#;
        assert_eq!(
            refusal(&[("execution", execution)]),
            "execution names rollup 1 twice"
        );
        let peers =
            r#"[{peer_id = "a", address = "1.1.1.1:1"}, {peer_id = "a", address = "1.1.1.1:2"}]"#;
        assert_eq!(refusal(&[("peers", peers)]), "peers names a twice");
    }

    #[test]
    fn buffers_that_make_a_table_of_every_few_blocks_are_refused() {
        let said = refusal(&[("store.write_buffers_bytes", "1000")]);
        assert!(said.contains("at least 1048576"), "{said}");
    }
}
