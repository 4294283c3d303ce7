//! The story: an endpoint dies and comes back, a provider is drained. Each step waits for what it tells of, and is told
//! with what was measured.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, RecordType},
};
use tokio::{
    net::UdpSocket,
    sync::{broadcast, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    stage::Actor,
    tell::{line, step},
};
use crate::{
    admin::Local,
    model::{Family, Happening, Health, Snapshot},
    node::Node,
    store::journal::Recorded,
};

/// The name that is asked.
const NAME: &str = "shop.demo.example.";
/// The endpoint that dies.
const VICTIM: &str = "aws-euw";
/// A step that takes longer has not happened.
const PATIENCE: Duration = Duration::from_secs(30);
/// Queries that show all answers of a weighted pool: a share of 30 % stays unseen in 40 draws once in a million.
const QUERIES: usize = 40;
/// The wait between two looks at the answers.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the story needs of the node.
pub(super) struct Story {
    dns: SocketAddr,
    admin: Option<SocketAddr>,
    socket: PathBuf,
    folder: PathBuf,
    events: broadcast::Receiver<Recorded>,
}

type Answers = BTreeSet<IpAddr>;

impl Story {
    /// About this node.
    pub(super) fn new(node: &Node, socket: PathBuf, folder: &Path) -> Self {
        let tcp = |local: &Local| if let Local::Tcp(at) = local { Some(*at) } else { None };
        Self {
            dns: node.dns().first().copied().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 53).into()),
            admin: node.admin().iter().find_map(tcp),
            socket,
            folder: folder.to_owned(),
            events: node.journal().subscribe(),
        }
    }

    /// Tells all of it.
    ///
    /// # Errors
    /// The first step that did not happen.
    pub(super) async fn tell(
        &self,
        actors: &mut [Actor],
        snapshot: watch::Receiver<Arc<Snapshot>>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.introduce();
        step(begun, "six endpoints are probed by three vantages: eu-1, us-1 and ap-1");
        all_up(snapshot).await?;
        let first = self.answers().await?;
        ensure!(first.len() == 2, "the first pool has two endpoints, and {} answered", first.len());
        step(begun, &format!("● all are up; {NAME} answers {} (pool eu, weights 70 and 30)", said(&first)));
        self.outage(begun, actors, &first).await?;
        self.drain(begun, &first).await?;
        step(begun, "every step happened");
        Ok(())
    }

    fn introduce(&self) {
        let socket = self.socket.display();
        let (ip, port) = (self.dns.ip(), self.dns.port());
        let admin = self.admin.map_or_else(|| "-".into(), |at| at.to_string());
        line("wayshift demo: 6 endpoints at 2 providers in 3 regions, 3 vantages that vote, one name");
        line(&format!("DNS on {} (UDP and TCP), admin on http://{admin}, all in {}", self.dns, self.folder.display()));
        line("");
        line("try in another terminal:");
        line(&format!("  dig @{ip} -p {port} {NAME}"));
        line(&format!("  dig @{ip} -p {port} +subnet=198.51.100.0/24 {NAME}      # as a client in the US"));
        line(&format!("  wayshift status --socket {socket}"));
        line(&format!("  wayshift explain {NAME} --socket {socket}"));
        line(&format!("  wayshift drain provider:aws --for 10m --reason demo --socket {socket}"));
        line("");
    }

    /// What a person may do once the story is told.
    pub(super) fn goes_on(&self) {
        line("");
        line("it goes on serving until you press Ctrl-C; the commands above work, and each endpoint can be made ill:");
        line(&format!("  grep check_at {}/wayshift.toml      # their addresses", self.folder.display()));
        line("  curl -X POST http://ADDRESS/sick    # and /well again");
    }

    /// An endpoint dies, leaves, comes back.
    async fn outage(&self, begun: Instant, actors: &mut [Actor], before: &Answers) -> anyhow::Result<()> {
        let victim = actors.iter_mut().find(|actor| actor.id == VICTIM).context("the victim is on the stage")?;
        let mut events = self.events.resubscribe();
        let died = Instant::now();
        victim.die().await;
        step(begun, &format!("✖ {VICTIM} dies: its port is closed"));
        let verdict = verdict(&mut events, Health::Down).await?;
        let judged = died.elapsed();
        let after = self.answers_when(|now| now.is_subset(before) && now.len() < before.len()).await?;
        let changed = died.elapsed();
        step(begun, &format!("  verdict {verdict}, {:.1} s after it died", judged.as_secs_f64()));
        step(begun, &format!("  {NAME} answers {} alone, {:.1} s after it died", said(&after), changed.as_secs_f64()));
        let rose = Instant::now();
        victim.rise().await.context("the endpoint's port is taken")?;
        step(begun, &format!("● {VICTIM} serves again"));
        self.answers_when(|now| now == before).await?;
        step(begun, &format!("  {NAME} answers {} again, {:.1} s later", said(before), rose.elapsed().as_secs_f64()));
        Ok(())
    }

    /// A person drains a provider, and takes it back.
    async fn drain(&self, begun: Instant, before: &Answers) -> anyhow::Result<()> {
        let order = ["drain", "provider:aws", "--for", "10m", "--reason", "demo", "--yes"];
        step(begun, &format!("◐ someone runs: wayshift {}", order.join(" ")));
        let asked = Instant::now();
        self.wayshift(&order).await?;
        let drained = self.answers_when(|now| now.is_subset(before) && now.len() < before.len()).await?;
        let took = asked.elapsed();
        step(
            begun,
            &format!("  {NAME} answers {} alone, {:.1} s after the command", said(&drained), took.as_secs_f64()),
        );
        self.wayshift(&["restore", "provider:aws", "--yes"]).await?;
        self.answers_when(|now| now == before).await?;
        step(begun, &format!("● wayshift restore provider:aws: {NAME} answers {} again", said(before)));
        Ok(())
    }

    /// Runs a verb of this very program as a person would.
    async fn wayshift(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("this program's own file is not known")?;
        let running = tokio::process::Command::new(program)
            .args(arguments)
            .arg("--socket")
            .arg(&self.socket)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PATIENCE, running).await.context("the command did not end")??;
        if !output.status.success() {
            bail!("wayshift {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Waits until the answers are as they should be.
    async fn answers_when(&self, wanted: impl Fn(&Answers) -> bool) -> anyhow::Result<Answers> {
        let begun = Instant::now();
        loop {
            let now = self.answers().await?;
            if wanted(&now) {
                return Ok(now);
            }
            ensure!(begun.elapsed() < PATIENCE, "the answers are still {}", said(&now));
            sleep(LOOK_EVERY).await;
        }
    }

    /// All addresses that many queries bring.
    async fn answers(&self) -> anyhow::Result<Answers> {
        let local: IpAddr = match self.dns.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(self.dns).await?;
        let mut all = Answers::new();
        for id in 0..QUERIES {
            let mut message = Message::query();
            message.metadata.id = u16::try_from(id).unwrap_or_default();
            message.add_query(Query::query(Name::from_ascii(NAME)?, RecordType::A));
            socket.send(&message.to_vec()?).await?;
            let mut reply = [0; 512];
            let length = timeout(PATIENCE, socket.recv(&mut reply)).await.context("no answer")??;
            let reply = Message::from_vec(&reply[..length])?;
            all.extend(
                reply
                    .answers
                    .iter()
                    .filter_map(|r| if let RData::A(a) = &r.data { Some(IpAddr::V4(a.0)) } else { None }),
            );
        }
        Ok(all)
    }
}

async fn all_up(mut snapshot: watch::Receiver<Arc<Snapshot>>) -> anyhow::Result<()> {
    let up = snapshot
        .wait_for(|snapshot| snapshot.verdicts.iter().flatten().all(|v| v.health == Health::Up && v.tally.up == 3));
    timeout(PATIENCE, up).await.context("not every endpoint came up")??;
    Ok(())
}

/// The next verdict on the victim, in words.
async fn verdict(events: &mut broadcast::Receiver<Recorded>, wanted: Health) -> anyhow::Result<String> {
    let found = async {
        loop {
            let recorded = events.recv().await?;
            if let Happening::Verdict { endpoint, family: Family::V4, to, tally, reason, .. } = &recorded.event.what
                && endpoint.as_str() == VICTIM
                && *to == wanted
            {
                // Others' votes may have made it before this node's own probe failed.
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                return anyhow::Ok(format!("{to} by {} of {} vantages{reason}", tally.down, tally.cast()));
            }
        }
    };
    timeout(PATIENCE, found).await.context("no verdict came")?
}

fn said(answers: &Answers) -> String {
    answers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
