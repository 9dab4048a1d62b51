use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::config::NameOrId;

fn config(path: &Path) -> SocketConfig {
    SocketConfig { path: path.to_owned(), users: None, group: None }
}

fn mode_of(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_socket_is_for_its_owner_and_gone_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let socket = Socket::bind(&config(&path)).await.unwrap();
    assert_eq!(mode_of(&path), 0o600);
    drop(socket);
    assert!(!path.exists());
    let own = rustix::process::getegid().as_raw();
    let grouped = SocketConfig { group: Some(NameOrId::Id(own)), ..config(&path) };
    let _socket = Socket::bind(&grouped).await.unwrap();
    assert_eq!(mode_of(&path), 0o660);
}

#[tokio::test]
async fn what_a_dead_node_left_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the standard library leaves the file");
    let live = Socket::bind(&config(&path)).await.unwrap();
    let second = Socket::bind(&config(&path)).await.unwrap_err();
    assert!(matches!(second, SocketError::InUse { .. }), "{second}");
    assert!(path.exists(), "the live one keeps its file");
    drop(live);
    assert!(Socket::bind(&config(&path)).await.is_ok());
}

#[tokio::test]
async fn a_file_that_somebody_put_there_since_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let socket = Socket::bind(&config(&path)).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "mine").unwrap();
    drop(socket);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[tokio::test]
async fn links_files_and_lax_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    std::fs::write(&path, "a file").unwrap();
    let refused = Socket::bind(&config(&path)).await.unwrap_err();
    assert!(matches!(refused, SocketError::NotASocket { .. }), "{refused}");
    std::fs::remove_file(&path).unwrap();
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    let refused = Socket::bind(&config(&path)).await.unwrap_err();
    assert!(matches!(refused, SocketError::NotASocket { .. }), "{refused}");
    std::fs::remove_file(&path).unwrap();

    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    symlink(&real, folder.path().join("linked")).unwrap();
    let refused = Socket::bind(&config(&folder.path().join("linked/a.sock"))).await.unwrap_err();
    assert!(matches!(refused, SocketError::Folder { .. }), "{refused}");
    for lax in [0o770, 0o707, 0o1777] {
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(lax)).unwrap();
        let refused = Socket::bind(&config(&real.join("a.sock"))).await.unwrap_err();
        assert!(refused.to_string().contains("may be written by others"), "{lax:o}: {refused}");
    }
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Socket::bind(&config(&real.join("a.sock"))).await.is_ok());
    let nowhere = Socket::bind(&config(&folder.path().join("no/a.sock"))).await.unwrap_err();
    assert!(nowhere.to_string().contains("is not there"), "{nowhere}");
}

#[test]
fn users_are_found_by_name_and_others_need_a_group() {
    let path = Path::new("/run/agent.sock");
    let named = |name: &str| Some(vec![NameOrId::Name(name.to_owned())]);
    let root = Users::of(&SocketConfig { users: named("root"), ..config(path) }).unwrap();
    assert!(root.are_let_in(0) && !root.are_let_in(4_242));
    let unknown = Users::of(&SocketConfig { users: named("nobody-of-ours"), ..config(path) });
    assert!(matches!(unknown, Err(SocketError::UnknownName { key: "users", .. })), "{unknown:?}");
    let others = SocketConfig { users: Some(vec![NameOrId::Id(4_242)]), ..config(path) };
    let refused = Users::of(&others);
    assert!(matches!(refused, Err(SocketError::NeedsGroup { user: 4_242 })), "{refused:?}");
    let grouped = SocketConfig { group: Some(NameOrId::Id(7)), ..others };
    let grouped = Users::of(&grouped).unwrap();
    assert!(grouped.are_let_in(4_242) && grouped.group() == Some(7));
    assert!(!grouped.are_let_in(0), "root is let in only where it is listed");
    let bad = SocketConfig { group: Some(NameOrId::Name("no-such-group".into())), ..config(path) };
    assert!(matches!(Users::of(&bad), Err(SocketError::UnknownName { key: "group", .. })));
}
