//! A disk that returns other bits than were written: the same answers, or a refusal that says where.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cloverleaf_types::{B256, Height, TransactionKey};

use super::Home;
use super::fixture::{Chain, NETWORK, ROLLUPS};
use crate::{Store, StoreError};

/// Blocks of the store that is damaged.
const BLOCKS: u64 = 6;

/// Bits flipped in each file: with a file for each column and one of large batches, more than 200.
const FLIPS_PER_FILE: u64 = 28;

/// What is asked of a store.
struct Questions {
    transactions: Vec<TransactionKey>,
    bundles: Vec<B256>,
}

/// Answers in the order of the questions.
type Answers = Vec<Result<String, StoreError>>;

impl Questions {
    fn ask(&self, store: &Store) -> Answers {
        let mut answers = vec![shown(store.state()), shown(store.first_height())];
        for height in (1..=BLOCKS + 1).map(Height) {
            answers.push(shown(store.block_bytes(height)));
            answers.push(shown(store.decision(height)));
            answers.push(shown(store.manifest(height, 0)));
            answers.push(shown(store.blocks_from(height, 2, usize::MAX)));
        }
        for chain_id in ROLLUPS {
            answers.push(shown(store.head(chain_id)));
            answers.push(shown(store.first_available(chain_id)));
            answers.push(shown(store.batches_from(chain_id, 1, 3, usize::MAX)));
            let batches = (1..=BLOCKS + 1).map(|seq| shown(store.batch(chain_id, seq)));
            answers.extend(batches);
        }
        let transactions = self.transactions.iter();
        answers.extend(transactions.map(|(chain_id, id)| shown(store.transaction(*chain_id, *id))));
        answers.extend(self.bundles.iter().map(|hash| shown(store.bundle(*hash))));
        answers
    }
}

fn shown<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> Result<String, StoreError> {
    answer.map(|answer| format!("{answer:?}"))
}

/// A closed store whose columns are all in files, with batches in the tables and beside them.
fn written() -> (Home, Questions) {
    let (home, mut chain) = (Home::new(), Chain::new());
    let store = home.open();
    let (mut transactions, mut bundles) = (Vec::new(), Vec::new());
    for height in 1..=BLOCKS {
        let raw = |length, index| Bytes::from(format!("{height}/{index:>length$}"));
        let all = ROLLUPS.map(|chain_id| {
            let length = if chain_id == ROLLUPS[0] { 6_000 } else { 60 };
            (chain_id, vec![raw(length, 0), raw(length, 1)])
        });
        let decided = chain.next_with(&all);
        store.commit(&decided.commit()).unwrap();
        for (chain_id, ids) in ROLLUPS.iter().zip(&decided.ids) {
            transactions.extend(ids.iter().map(|id| (*chain_id, *id)));
        }
        let manifests = decided.block.block.manifests.iter();
        bundles.extend(manifests.map(|manifest| manifest.bundle_hash()));
    }
    store.database().flush_all().unwrap();
    let questions = Questions {
        transactions,
        bundles,
    };
    (home, questions)
}

/// Files that hold columns.
fn tables(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.path()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_table = |path: &PathBuf| {
        path.extension()
            .is_some_and(|it| it == "sst" || it == "blob")
    };
    let mut tables: Vec<_> = files.filter(is_table).collect();
    tables.sort();
    tables
}

/// The directory with one bit of a file flipped. Files that RocksDB never changes are shared.
fn flipped(home: &Home, file: &Path, bit: u64) -> Home {
    let image = Home::new();
    fs::create_dir_all(image.path()).unwrap();
    for from in fs::read_dir(home.path()).unwrap() {
        let from = from.unwrap().path();
        let to = image.path().join(from.file_name().unwrap());
        if tables(home).contains(&from) {
            fs::hard_link(&from, to).unwrap();
        } else {
            fs::copy(&from, to).unwrap();
        }
    }
    let mut bytes = fs::read(file).unwrap();
    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
    let damaged = image.path().join(file.file_name().unwrap());
    fs::remove_file(&damaged).unwrap();
    fs::write(damaged, bytes).unwrap();
    image
}

/// Fixed seed, so that a failure comes again.
fn next_random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 16
}

/// True if the store refused to open or to answer something; never answers otherwise.
fn refuses(home: &Home, questions: &Questions, expected: &Answers, what: &str) -> bool {
    let store = match Store::open_to_read(&home.path(), NETWORK) {
        Ok(store) => store.unwrap(),
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains(home.path().to_str().unwrap()),
                "{what}: {text}"
            );
            return true;
        }
    };
    let mut refused = false;
    for (answer, expected) in questions.ask(&store).iter().zip(expected) {
        match answer {
            Ok(answer) => assert_eq!(answer, expected.as_ref().unwrap(), "{what}"),
            Err(error) => {
                let text = error.to_string();
                assert!(
                    matches!(error, StoreError::Damaged { .. }),
                    "{what}: {text}"
                );
                assert!(
                    text.contains("column ") && text.contains(", key 0x"),
                    "{text}"
                );
                refused = true;
            }
        }
    }
    refused
}

#[test]
fn flipped_bit_in_any_file_is_no_other_answer_and_a_refusal_names_column_and_key() {
    let (home, questions) = written();
    let expected = questions.ask(&home.open());
    assert!(expected.iter().all(Result::is_ok));
    let files = tables(&home);
    assert!(files.len() > crate::column::Column::ALL.len(), "{files:?}");
    let mut random = 20_261_129;
    for file in &files {
        let bits = fs::metadata(file).unwrap().len() * 8;
        let mut refusals = 0;
        for _ in 0..FLIPS_PER_FILE {
            let bit = next_random(&mut random) % bits;
            let what = format!("bit {bit} of {}", file.display());
            let image = flipped(&home, file, bit);
            refusals += u64::from(refuses(&image, &questions, &expected, &what));
        }
        assert!(refusals > 0, "no flip in {} was seen", file.display());
    }
}
