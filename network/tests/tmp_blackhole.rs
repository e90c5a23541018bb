mod support;
use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
use cloverleaf_network::*;
use support::*;
use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};

async fn pipe(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, dead: Arc<AtomicBool>, id: usize) {
    let mut buf = vec![0; 65536];
    loop {
        let n = match from.read(&mut buf).await { Ok(0) | Err(_) => break, Ok(n) => n };
        if id == 0 && dead.load(Ordering::SeqCst) { eprintln!("pipe stuck"); std::future::pending::<()>().await }
        if to.write_all(&buf[..n]).await.is_err() { break }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn black_hole() {
    let (ak, bk) = (Keypair::generate(), Keypair::generate());
    let mut a = Node::start(&ak, vec![named(&bk, None)]).await;
    let target = a.handle.listen_address().to_owned();
    let port: u16 = target.rsplit('/').next().unwrap().parse().unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = address_text(proxy.local_addr().unwrap());
    let dead = Arc::new(AtomicBool::new(false));
    let d = dead.clone();
    tokio::spawn(async move {
        let mut id = 0;
        loop {
            let (c, _) = proxy.accept().await.unwrap();
            let s = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (cr, cw) = c.into_split(); let (sr, sw) = s.into_split();
            tokio::spawn(pipe(cr, sw, d.clone(), id)); tokio::spawn(pipe(sr, cw, d.clone(), id));
            id += 1;
        }
    });
    let mut b = Node::start(&bk, vec![named(&ak, Some(at))]).await;
    a.expect_connected(&b.name()).await; b.expect_connected(&a.name()).await;
    dead.store(true, Ordering::SeqCst);
    let t = std::time::Instant::now();
    for _ in 0..2 { let _ = a.handle.send(&b.name(), Class::Sync, vec![0; 16<<20].into()); let _ = b.handle.send(&a.name(), Class::Sync, vec![0; 16<<20].into()); }
    for _ in 0..14 { let _ = a.handle.send(&b.name(), Class::Parcels, vec![0; 1<<20].into());let _ = b.handle.send(&a.name(), Class::Parcels, vec![0; 1<<20].into()); }
    for _ in 0..14 { let _ = a.handle.send(&b.name(), Class::Votes, vec![0; 1<<18].into());let _ = b.handle.send(&a.name(), Class::Votes, vec![0; 1<<18].into()); }
    let e = b.event().await; eprintln!("{:?} b {e:?}", t.elapsed());
    let e = a.event().await; eprintln!("{:?} a {e:?}", t.elapsed());
    let e = b.event().await; eprintln!("{:?} b {e:?}", t.elapsed());
    let e = a.event().await; eprintln!("{:?} a {e:?}", t.elapsed());
    b.handle.send(&a.name(), Class::Votes, vec![1].into()).unwrap();
    eprintln!("{:?}", a.frame().await);
}
