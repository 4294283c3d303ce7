//! Whether this node's credentials may write orders. An edge's may not: it follows, votes, and says who takes orders.
//!
//! It is asked with a transaction that can never be made and would write the head: etcd looks at permissions first.

use std::{sync::Arc, time::Duration};

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use tokio::time::sleep;

use super::{
    Contact,
    core::Core,
    line::{Code, Trouble},
};

/// Rights are looked at anew this often: a person may give and take them.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// After an answer that says nothing.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Looks until it is dropped.
pub(super) async fn run(core: Arc<Core>) {
    let mut contact = core.contact();
    loop {
        if contact.wait_for(|contact| matches!(contact, Contact::Made)).await.is_err() {
            return;
        }
        match may_write(&core).await {
            Some(may) => {
                core.takes_orders(may);
                sleep(ASK_EVERY).await;
            }
            None => sleep(ASK_AGAIN).await,
        }
    }
}

/// `None` where there is no answer.
async fn may_write(core: &Core) -> Option<bool> {
    let head = core.keys.head();
    let never = Compare::create_revision(head.as_str(), CompareOp::Equal, -1);
    let write = TxnOp::put(head, String::new(), None::<PutOptions>);
    match core.line.txn(Txn::new().when(vec![never]).and_then(vec![write])).await {
        Ok(_) => Some(true),
        Err(Trouble::Refused(Code::Denied, _)) => Some(false),
        Err(Trouble::Refused(Code::NotFound | Code::OutOfRange | Code::Other, _))
        | Err(Trouble::Unreached(_) | Trouble::Unanswered(_)) => None,
    }
}
