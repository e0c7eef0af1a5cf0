//! Scrapes an address over some connections and prints what came as JSON: milliseconds of each scrape,
//! bytes of the last body and how many campaign series it holds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use flate2::bufread::GzDecoder;
use peers::FAMILIES;
use serde::Serialize;

#[derive(Clone, Parser)]
struct Arguments {
    /// IP:PORT
    address: String,
    /// Path that is asked for
    #[arg(long, default_value = "/metrics")]
    path: String,
    /// Connections at a time, each kept alive where the server does
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Scrapes of each connection
    #[arg(long, default_value_t = 1)]
    requests: usize,
    /// Go on for so many seconds, whatever the number of scrapes
    #[arg(long)]
    seconds: Option<f64>,
    /// Milliseconds between two scrapes of a connection
    #[arg(long, default_value_t = 0)]
    pause: u64,
    /// Ask for gzip
    #[arg(long)]
    gzip: bool,
    /// Unpack and count the last body: it must be one whole gzip member, where gzip was asked for
    #[arg(long)]
    verify: bool,
    /// Keep the last body, as it came
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// What is printed.
#[derive(Serialize)]
struct Report {
    milliseconds: Vec<f64>,
    bytes: usize,
    series: Option<usize>,
    lines: Option<usize>,
    text_bytes: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let workers: Vec<_> = (0..arguments.connections.max(1))
        .map(|_| {
            let arguments = arguments.clone();
            std::thread::spawn(move || scrape(&arguments))
        })
        .collect();
    let (mut milliseconds, mut body) = (Vec::new(), Vec::new());
    for worker in workers {
        let (times, last) = worker.join().map_err(|_| anyhow::anyhow!("a connection panicked"))??;
        milliseconds.extend(times);
        body = last;
    }
    let mut report = Report { milliseconds, bytes: body.len(), series: None, lines: None, text_bytes: None };
    if arguments.verify {
        let text = if arguments.gzip { unpack(&body)? } else { body.clone() };
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let (mut all, mut series) = (0, 0);
        for line in lines {
            all += 1;
            series += usize::from(is_campaign_sample(line));
        }
        (report.lines, report.series, report.text_bytes) = (Some(all), Some(series), Some(text.len()));
    }
    if let Some(path) = &arguments.keep {
        std::fs::write(path, &body)?;
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn is_campaign_sample(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b'{').next().unwrap_or_default();
    FAMILIES.iter().any(|family| family.name.as_bytes() == name)
}

fn unpack(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut decoder = GzDecoder::new(body);
    let mut text = Vec::new();
    // The trailer's checksum and length are compared by the decoder.
    decoder.read_to_end(&mut text).context("the gzip member is not whole")?;
    let rest = decoder.into_inner().len();
    ensure!(rest == 0, "{rest} bytes behind the first gzip member, which many clients never read");
    Ok(text)
}

fn scrape(arguments: &Arguments) -> anyhow::Result<(Vec<f64>, Vec<u8>)> {
    let encoding = if arguments.gzip { "accept-encoding: gzip\r\n" } else { "" };
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\naccept: text/plain\r\n{encoding}\r\n",
        arguments.path, arguments.address
    );
    let (mut times, mut body, mut connection) = (Vec::new(), Vec::new(), None);
    let begun = Instant::now();
    loop {
        let enough = arguments.seconds.map_or(times.len() >= arguments.requests, |seconds| {
            begun.elapsed().as_secs_f64() >= seconds && !times.is_empty()
        });
        if enough {
            return Ok((times, body));
        }
        let started = Instant::now();
        let mut reader = match connection.take() {
            Some(reader) => reader,
            None => connect(&arguments.address)?,
        };
        reader.get_mut().write_all(request.as_bytes())?;
        let keep = read_answer(&mut reader, &mut body)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        connection = keep.then_some(reader);
        std::thread::sleep(Duration::from_millis(arguments.pause));
    }
}

fn connect(address: &str) -> anyhow::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(2)))?;
    Ok(BufReader::with_capacity(1 << 16, stream))
}

/// Reads one answer into `body`; whether the connection may be used again.
fn read_answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> anyhow::Result<bool> {
    let mut line = String::new();
    ensure!(reader.read_line(&mut line)? > 0, "the server closed the connection");
    ensure!(line.split(' ').nth(1) == Some("200"), "not answered with 200: {}", line.trim());
    let (mut length, mut chunked, mut keep) = (None, false, !line.starts_with("HTTP/1.0"));
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "the header is not whole");
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        let Some((name, value)) = lower.trim().split_once(':') else { bail!("not a header field: {line}") };
        match (name, value.trim()) {
            ("content-length", value) => length = Some(value.parse::<u64>()?),
            ("transfer-encoding", "chunked") => chunked = true,
            ("connection", "close") => keep = false,
            _ => {}
        }
    }
    body.clear();
    if chunked {
        while read_chunk(reader, body)? {}
    } else if let Some(length) = length {
        let read = reader.by_ref().take(length).read_to_end(body)?;
        ensure!(read as u64 == length, "{read} bytes of {length}");
    } else {
        reader.read_to_end(body)?;
        keep = false;
    }
    Ok(keep)
}

/// Appends one chunk; false after the last one.
fn read_chunk(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> anyhow::Result<bool> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let size = u64::from_str_radix(line.trim(), 16).with_context(|| format!("not a size of a chunk: {line}"))?;
    let read = reader.by_ref().take(size).read_to_end(body)?;
    ensure!(read as u64 == size, "{read} bytes of a chunk of {size}");
    line.clear();
    reader.read_line(&mut line)?;
    Ok(size > 0)
}
