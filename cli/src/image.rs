//! `meshctl image`: makes the image that pods run, from nothing but this executable. No Docker, no base image, and the same
//! bytes each time.

mod archive;
mod elf;
mod push;
mod reference;

use std::{io::Write, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use mesh_api::names;

use crate::{
    errors::{Outcome, with_hint},
    printer::Printer,
};
use archive::Image;
use reference::Reference;

/// Save or push the image that carries the mesh
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write the image as an archive that containerd, Docker and kind take
    #[command(after_help = "Examples:
  meshctl image save meshctl.tar
  meshctl image save - | ctr -n k8s.io images import -
  meshctl image save - | docker load
  kind load image-archive meshctl.tar")]
    Save {
        /// Where to; - is stdout
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        source: Source,
    },
    /// Push the image to a registry
    #[command(
        after_help = "Credentials are those of `docker login` (~/.docker/config.json).

Examples:
  meshctl image push --tag registry.example/mesh/meshctl:0.1.0
  meshctl install --image registry.example/mesh/meshctl:0.1.0
  meshctl image push --tag localhost:5000/meshctl:dev --insecure"
    )]
    Push {
        #[command(flatten)]
        source: Source,
        /// Speak HTTP without TLS
        #[arg(long)]
        insecure: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Source {
    /// Name of the image
    #[arg(long, value_name = "REF", default_value_t = names::image())]
    tag: String,
    /// The executable to put into it [default: this one]
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
}

impl Source {
    fn image(&self, printer: &Printer) -> Result<Image> {
        let reference: Reference = self.tag.parse()?;
        let path = match &self.executable {
            Some(path) => path.clone(),
            None => std::env::current_exe().context("this executable cannot be found")?,
        };
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let architecture = elf::static_architecture(&bytes).map_err(|why| {
            with_hint(
                anyhow!("{} cannot be an image by itself: {why}", path.display()),
                "build a static one with RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --package \
                 meshctl --target x86_64-unknown-linux-gnu, and name it with --executable",
            )
        })?;
        let progress = printer.progress("packing the image");
        let image = Image::pack(&bytes, architecture, &reference)?;
        drop(progress);
        Ok(image)
    }
}

pub async fn run(command: &Command, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Save { file, source } => {
            let image = source.image(printer)?;
            if file.as_os_str() == "-" {
                let mut out = std::io::stdout().lock();
                image.write(&mut out)?;
                out.flush()?;
            } else {
                let mut out = std::fs::File::create(file)
                    .with_context(|| format!("cannot write {}", file.display()))?;
                image.write(&mut out)?;
                out.sync_all()?;
                printer.say(format!("√ {} is in {}", source.tag, file.display()));
            }
            printer.say(format!("  digest {}", image.digest()));
        }
        Command::Push { source, insecure } => {
            let image = source.image(printer)?;
            let reference: Reference = source.tag.parse()?;
            let mut progress = printer.progress(format!("pushing {reference}"));
            push::push(&image, &reference, *insecure, &mut progress).await?;
            progress.done(format!("√ {reference} is pushed"));
            printer.line(image.digest())?;
        }
    }
    Ok(Outcome::Yes)
}
