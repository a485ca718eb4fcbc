//! The store through which ranks find each other.

use std::ffi::{c_char, c_void};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::{exchanged, millis, text};
use crate::TorchError;

unsafe extern "C" {
    fn luthier_store_new(
        host: *const c_char,
        port: u16,
        serves: bool,
        workers: usize,
        timeout_ms: i64,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    fn luthier_store_free(store: *mut c_void);
    fn luthier_store_set(
        store: *mut c_void,
        key: *const c_char,
        bytes: *const u8,
        length: usize,
    ) -> *mut c_char;
    fn luthier_store_get(
        store: *mut c_void,
        key: *const c_char,
        timeout_ms: i64,
        bytes: *mut *mut u8,
        length: *mut usize,
    ) -> *mut c_char;
    fn luthier_free(message: *mut c_char);
}

/// Keys and bytes that all ranks see (libtorch's `TCPStore`). Rank 0 keeps it at the master's address.
#[derive(Debug)]
pub struct Store {
    pub(super) pointer: *mut c_void,
    timeout: Duration,
    host: String,
    port: u16,
}

impl Store {
    /// Opens the store, or reaches it, and waits until `size` ranks have.
    ///
    /// # Errors
    /// The port is taken, nobody answers, or not all ranks came within `timeout`.
    pub fn open(host: &str, port: u16, rank: u32, size: u32, timeout: Duration) -> Result<Self, TorchError> {
        let mut pointer = std::ptr::null_mut();
        let name = text(host)?;
        // SAFETY: the name lives as long as the call; `pointer` is a local.
        let opened = taken_at(host, port, rank, unsafe {
            luthier_store_new(
                name.as_ptr(),
                port,
                rank == 0,
                size as usize,
                millis(timeout),
                &raw mut pointer,
            )
        });
        opened.map(|()| Store { pointer, timeout, host: host.to_owned(), port })
    }

    /// Sets a key.
    ///
    /// # Errors
    /// Rank 0 is gone.
    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), TorchError> {
        let key = text(key)?;
        // SAFETY: the store is alive, key and value outlive the call.
        exchanged(unsafe { luthier_store_set(self.pointer, key.as_ptr(), value.as_ptr(), value.len()) })
    }

    /// What a key was set to; waits until it is.
    ///
    /// # Errors
    /// It was not within the store's timeout, or rank 0 is gone.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, TorchError> {
        self.get_within(key, self.timeout)
    }

    /// As [`Store::get`], with a timeout of its own.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_within(&self, key: &str, timeout: Duration) -> Result<Vec<u8>, TorchError> {
        let key = text(key)?;
        let (mut bytes, mut length) = (std::ptr::null_mut::<u8>(), 0usize);
        // SAFETY: the store is alive, the key outlives the call, and both results have a place.
        exchanged(unsafe {
            luthier_store_get(self.pointer, key.as_ptr(), millis(timeout), &raw mut bytes, &raw mut length)
        })?;
        // SAFETY: nothing was thrown, so these are `length` bytes that nobody else has, from malloc.
        let value = unsafe { std::slice::from_raw_parts(bytes, length) }.to_vec();
        // SAFETY: as above, and not used after this.
        unsafe { luthier_free(bytes.cast()) };
        Ok(value)
    }

    /// The address at which other ranks reach this process: of the interface that leads to the master.
    pub(super) fn own_address(&self) -> IpAddr {
        let route = || {
            let socket = UdpSocket::bind(("0.0.0.0", 0)).or_else(|_| UdpSocket::bind(("::", 0))).ok()?;
            // nothing is sent: connecting a datagram socket asks the routing table
            socket.connect((self.host.as_str(), self.port)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        route().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by `luthier_store_new`, and not used after this.
        unsafe { luthier_store_free(self.pointer) };
    }
}

/// What opening a store came to, in words: libtorch's own speak of sockets.
fn taken_at(host: &str, port: u16, rank: u32, message: *mut c_char) -> Result<(), TorchError> {
    crate::ffi::taken_whole(message).map_err(|said| {
        if said.contains("EADDRINUSE") || said.contains("address already in use") {
            return TorchError::PortInUse(port);
        }
        let joined = said.split("clients. ").nth(1).and_then(|rest| rest.split(" clients joined").next());
        match joined {
            Some(joined) => TorchError::Missing { joined: joined.to_owned() },
            None if rank > 0 => TorchError::NoMaster {
                host: host.to_owned(),
                port,
                why: TorchError::thrown(&said).to_string(),
            },
            None => TorchError::between_ranks(TorchError::thrown(&said)),
        }
    })
}
