//! Buys one resource: `cargo run -p tercet --example fetch -- HOME URL`.
#![allow(clippy::print_stdout, reason = "an example prints what it bought")]

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(home), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fetch HOME URL".into());
    };
    let wallet = tercet::Wallet::open(home).await?;
    let fetched = wallet.get(url).await?;
    println!("{:?}", fetched.receipt);
    println!("{}", fetched.response.text().await?);
    wallet.close().await;
    Ok(())
}
