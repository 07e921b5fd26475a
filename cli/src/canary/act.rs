//! `canary pause|resume|promote|abort`: what the user wants the controller to do with a canary that is under way.

use anyhow::{Context, Result, anyhow};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use mesh_api::kinds::{
    Canary,
    canary::{CanaryAction, CanaryPhase},
};
use serde_json::{Value, json};

use super::{Act, get, is_over, phase};
use crate::{
    cluster::Cluster,
    errors::{Outcome, with_hint},
    printer::Printer,
};

pub async fn run(args: &Act, action: CanaryAction, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let service = &args.of.service;
    let canary = get(cluster, service).await?;
    let phase = phase(&canary);
    // What is completed can still be taken back.
    let takes = action == CanaryAction::Abort && phase == CanaryPhase::Completed;
    if is_over(phase) && !takes {
        return Err(with_hint(
            anyhow!("the canary of svc/{service} has ended already ({phase:?})"),
            format!(
                "`meshctl canary status svc/{service} -n {}` tells how",
                cluster.namespace
            ),
        ));
    }
    let Some(spec) = change(&canary, action) else {
        return told(&canary, &format!("{} already", state(action)), printer);
    };
    if args.dry_run {
        let weight = canary.status.as_ref().map_or(0, |s| s.weight);
        printer.done(format!(
            "would {} the canary of svc/{service}, which is {phase:?} at {weight}%",
            verb(action)
        ))?;
        return Ok(Outcome::Yes);
    }
    cluster.tell_when_nobody_acts(printer).await;
    let patch = Patch::Merge(json!({ "spec": spec }));
    let changed = cluster
        .api::<Canary>(&cluster.namespace)
        .patch(&canary.name_any(), &PatchParams::default(), &patch)
        .await
        .context("cannot change the canary")?;
    told(&changed, state(action), printer)
}

fn told(canary: &Canary, how: &str, printer: &Printer) -> Result<Outcome> {
    if printer.format.is_data() {
        printer.data(canary)?;
    } else {
        printer.line(format!("√ canary of svc/{} {how}", canary.spec.service))?;
    }
    Ok(Outcome::Yes)
}

/// What to change in the canary's spec; nothing when that is what it says.
fn change(canary: &Canary, action: CanaryAction) -> Option<Value> {
    let held = canary
        .status
        .as_ref()
        .filter(|s| s.held && action == CanaryAction::Run);
    let Some(status) = held else {
        return (canary.spec.action != action).then(|| json!({"action": action}));
    };
    // The step that is held now is released; others that are to be held stay.
    let others: Vec<&u32> = canary
        .spec
        .pause_at
        .iter()
        .filter(|step| **step != status.weight)
        .collect();
    Some(json!({"action": action, "pauseAt": others}))
}

fn verb(action: CanaryAction) -> &'static str {
    match action {
        CanaryAction::Run => "resume",
        CanaryAction::Pause => "pause",
        CanaryAction::Promote => "promote",
        CanaryAction::Abort => "abort",
    }
}

fn state(action: CanaryAction) -> &'static str {
    match action {
        CanaryAction::Run => "goes on",
        CanaryAction::Pause => "is paused",
        CanaryAction::Promote => "is promoted",
        CanaryAction::Abort => "is aborted",
    }
}

#[cfg(test)]
mod tests {
    use mesh_api::kinds::{CanarySpec, canary::CanaryStatus};

    use super::*;

    #[test]
    fn only_what_is_not_so_yet_is_changed() {
        let mut canary = Canary::new("web", CanarySpec::default());
        assert_eq!(change(&canary, CanaryAction::Run), None);
        assert_eq!(
            change(&canary, CanaryAction::Pause),
            Some(json!({"action": "Pause"}))
        );
        canary.spec.pause_at = vec![10, 50];
        canary.status = Some(CanaryStatus {
            held: true,
            weight: 10,
            ..CanaryStatus::default()
        });
        assert_eq!(
            change(&canary, CanaryAction::Run),
            Some(json!({"action": "Run", "pauseAt": [50]})),
            "the step that is held is released"
        );
        assert_eq!(
            change(&canary, CanaryAction::Abort),
            Some(json!({"action": "Abort"}))
        );
    }
}
