//! A line between two nodes that can go dead without anybody hanging up.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// Forwards every connection that it accepts.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    /// Of the connections so far; each has its own.
    dead: Arc<AtomicBool>,
    _forwarding: JoinSet<()>,
}

impl Line {
    /// A line to `target`.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("bound");
        let dead = Arc::new(AtomicBool::new(false));
        let mut forwarding = JoinSet::new();
        forwarding.spawn(forward_all(listener, target, dead.clone()));
        Self {
            address,
            dead,
            _forwarding: forwarding,
        }
    }

    /// From now on nothing comes through the present connections, which stay open; new ones work.
    pub(crate) fn go_dead(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }
}

async fn forward_all(listener: TcpListener, target: SocketAddr, dead: Arc<AtomicBool>) {
    let mut pipes = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.expect("listening");
        let far = TcpStream::connect(target).await.expect("the node listens");
        let dies = !dead.load(Ordering::SeqCst);
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        for (from, to) in [(near_in, far_out), (far_in, near_out)] {
            pipes.spawn(forward(from, to, dies.then(|| dead.clone())));
        }
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, dead: Option<Arc<AtomicBool>>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if dead
            .as_ref()
            .is_some_and(|dead| dead.load(Ordering::SeqCst))
        {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
