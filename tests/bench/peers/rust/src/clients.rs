//! reqwest keeps one HTTP/2 connection a client, and a server allows about 100 streams on each: so there are as many clients
//! as the streams need.
use reqwest::{Certificate, Client};
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc, Mutex,
};

const STREAMS: usize = 100;

struct Slot {
    client: Client,
    streams: AtomicUsize,
}

pub struct Clients {
    ca: Option<Vec<u8>>,
    slots: Mutex<Vec<Arc<Slot>>>,
}

/// A client for the time of one stream.
pub struct Lease(Arc<Slot>);

impl Lease {
    pub fn client(&self) -> &Client {
        &self.0.client
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clients {
    pub fn new(ca_file: Option<String>) -> Result<Self, std::io::Error> {
        let ca = ca_file.map(std::fs::read).transpose()?;
        Ok(Clients { ca, slots: Mutex::new(Vec::new()) })
    }

    fn open(&self) -> Result<Client, reqwest::Error> {
        let mut builder = Client::builder().tcp_nodelay(true);
        if let Some(pem) = &self.ca {
            builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
        }
        builder.build()
    }

    pub fn take(&self) -> Result<Lease, reqwest::Error> {
        let mut slots = self.slots.lock().unwrap();
        let slot = match slots.iter().find(|slot| slot.streams.load(Ordering::Relaxed) < STREAMS) {
            Some(slot) => slot.clone(),
            None => {
                slots.push(Arc::new(Slot { client: self.open()?, streams: AtomicUsize::new(0) }));
                slots[slots.len() - 1].clone()
            }
        };
        slot.streams.fetch_add(1, Ordering::Relaxed);
        Ok(Lease(slot))
    }
}
