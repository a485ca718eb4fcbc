//! The rendered scenes, through their public face.
#![expect(clippy::unwrap_used, reason = "also in the helpers, a test that cannot go on may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use luthier_data::scenes::{
    ATTRIBUTES, Background, Bins, By, Fixed, Scene, SceneOptions, ScenesError, Shape, Summary, Texture,
    render,
};
use tempfile::TempDir;

fn options(count: usize) -> SceneOptions {
    SceneOptions { count, seed: 7, size: 32, threads: 2, ..SceneOptions::default() }
}

fn rendered(out: &Path, options: &SceneOptions) -> Summary {
    render(out, options, &|_, _| {}).expect("the render succeeds")
}

fn refused(out: &Path, options: &SceneOptions) -> ScenesError {
    render(out, options, &|_, _| {}).expect_err("the render is refused")
}

/// Every file below `root` with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn decoded(path: &Path) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

/// FNV-1a.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn rows(out: &Path) -> Vec<Vec<String>> {
    let table = fs::read_to_string(out.join("attributes.csv")).unwrap();
    table.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Whoever changes these numbers changes every data set rendered so far: say so in the change log.
#[test]
fn pictures_are_pinned() {
    let pinned = [
        (0, 0, 128, 13_578_941_477_141_967_783),
        (0, 5, 128, 7_441_454_390_731_378_482),
        (1, 123_456, 128, 8_265_293_363_780_420_141),
        (u64::MAX, 3, 64, 1_884_815_604_876_813_246),
    ];
    let seen = pinned.map(|(seed, index, size, _)| {
        (seed, index, size, fingerprint(&Scene::draw(seed, index).paint(size)))
    });
    assert_eq!(seen, pinned, "(seed, number, size, fingerprint of the pixels)");
}

/// The encoder may change its bytes with its version; that changes no pixel, but it should be known.
#[test]
fn files_are_pinned() {
    let room = TempDir::new().unwrap();
    rendered(&room.path().join("out"), &options(16));
    let all: Vec<u8> = files(&room.path().join("out")).into_values().flatten().collect();
    assert_eq!(fingerprint(&all), 6_334_609_790_101_985_560);
}

#[test]
fn threads_change_no_byte() {
    let room = TempDir::new().unwrap();
    let render_with = |threads: usize| {
        let out = room.path().join(threads.to_string());
        let summary = rendered(&out, &SceneOptions { threads, valid: 0.25, ..options(67) });
        (summary, files(&out))
    };
    let one = render_with(1);
    assert_eq!(one.1.len(), 67 + 3);
    for threads in [0, 2, 5, 200] {
        assert!(one == render_with(threads), "{threads} threads");
    }
}

#[test]
fn a_picture_depends_on_seed_and_number_alone() {
    let room = TempDir::new().unwrap();
    let (short, long, other) = (room.path().join("a"), room.path().join("b"), room.path().join("c"));
    rendered(&short, &options(9));
    rendered(&long, &options(30));
    rendered(&other, &SceneOptions { seed: 8, ..options(9) });
    let long = files(&long);
    for (path, bytes) in files(&short) {
        if path.extension().is_some_and(|e| e == "png") {
            assert_eq!(long.get(&path), Some(&bytes), "{path:?} differs in a longer run");
        }
    }
    assert_ne!(files(&short), files(&other), "another seed draws other pictures");
}

#[test]
fn the_table_tells_what_the_pictures_show() {
    let room = TempDir::new().unwrap();
    let out = room.path().join("out");
    let asked = SceneOptions { valid: 0.2, ..options(80) };
    rendered(&out, &asked);
    let description: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("attributes.json")).unwrap()).unwrap();
    let rows = rows(&out);
    assert_eq!(
        rows[0].join(","),
        "file,shape,yaw,pitch,light_azimuth,light_elevation,hue,scale,texture,background"
    );
    assert_eq!(rows.len(), 81);
    for (index, row) in rows[1..].iter().enumerate() {
        let scene = Scene::draw(asked.seed, index as u64);
        assert_eq!(row[1], scene.shape.name());
        assert!(row[0].ends_with(&format!("/{}/{index:06}.png", row[1])), "{}", row[0]);
        let (width, height, pixels) = decoded(&out.join(&row[0]));
        assert_eq!((width, height), (32, 32));
        assert_eq!(pixels, scene.paint(32), "picture {index} is the scene of its row");

        let values =
            [scene.yaw, scene.pitch, scene.light_azimuth, scene.light_elevation, scene.hue, scene.scale];
        let kinds = [scene.texture as usize, scene.background as usize];
        for (column, text) in row[2..].iter().enumerate() {
            let bin: usize = text.parse().unwrap();
            assert_eq!(bin as u32, scene.attributes()[column]);
            let told = &description["attributes"][column];
            assert_eq!(told["name"], rows[0][column + 2]);
            assert!(bin < told["classes"].as_u64().unwrap() as usize);
            assert!(told["names"][bin].is_string());
            match values.get(column) {
                Some(&value) => {
                    // the bin, once more, from the edges as they are written
                    let edges: Vec<f64> = serde_json::from_value(told["edges"].clone()).unwrap();
                    let value = f64::from(value);
                    assert!(edges[bin] - 1e-4 <= value && value <= edges[bin + 1] + 1e-4, "{value} in {bin}");
                }
                None => assert_eq!(bin, kinds[column - values.len()]),
            }
        }
    }
}

#[test]
fn bins_are_evenly_filled() {
    const MANY: u64 = 9600;
    for (column, attribute) in ATTRIBUTES.iter().enumerate() {
        let mut filled = vec![0_u64; attribute.bins.count() as usize];
        for index in 0..MANY {
            filled[Scene::draw(3, index).attributes()[column] as usize] += 1;
        }
        let even = MANY / filled.len() as u64;
        for (bin, &n) in filled.iter().enumerate() {
            // six standard deviations of a binomial count
            assert!(
                n.abs_diff(even) as f64 <= 6.0 * (even as f64).sqrt(),
                "{} {bin}: {filled:?}",
                attribute.name
            );
        }
    }
}

#[test]
fn classes_are_balanced() {
    let room = TempDir::new().unwrap();
    for (count, least, most) in [(64, 8, 8), (61, 7, 8), (9, 1, 2)] {
        let out = room.path().join(count.to_string());
        let summary = rendered(&out, &options(count));
        assert_eq!(summary.pictures, count);
        for (shape, n) in summary.classes {
            assert!((least..=most).contains(&n), "{n} of {shape} among {count}");
            assert_eq!(fs::read_dir(out.join(shape)).unwrap().count(), n);
        }
    }
    // nor does the number of a picture tell its shape
    let first: Vec<_> = (0..100).map(|run| Scene::draw(7, run * 8).shape).collect();
    assert!(Shape::ALL.iter().all(|shape| first.contains(shape)));
}

#[test]
fn the_split_is_even_and_whole() {
    let room = TempDir::new().unwrap();
    for (count, valid, expected) in
        [(80, 0.2, 16), (40, 0.2, 8), (83, 0.5, 40), (24, 0.9, 16), (24, 1.0 / 3.0, 8)]
    {
        let out = room.path().join(format!("{count}-{valid}"));
        let summary = rendered(&out, &SceneOptions { valid, ..options(count) });
        assert_eq!(summary.valid, expected, "{valid} of {count}");
        for shape in Shape::ALL {
            let aside = fs::read_dir(out.join("valid").join(shape.name())).unwrap().count();
            assert_eq!(aside, expected / 8, "{shape:?}");
            assert!(fs::read_dir(out.join("train").join(shape.name())).unwrap().count() > 0);
        }
    }
}

#[test]
fn folders_by_an_attribute_hold_the_same_pictures() {
    let room = TempDir::new().unwrap();
    let (shapes, walls, turns) = (room.path().join("s"), room.path().join("w"), room.path().join("t"));
    let asked = SceneOptions { valid: 0.2, ..options(240) };
    rendered(&shapes, &asked);
    let summary = rendered(&walls, &SceneOptions { by: "background".parse().unwrap(), ..asked.clone() });
    rendered(&turns, &SceneOptions { by: "yaw".parse().unwrap(), ..asked });
    assert_eq!(summary.classes.iter().map(|(_, n)| n).sum::<usize>(), 240);
    assert_eq!(summary.classes[3].0, "bokeh");
    let header = rows(&shapes).swap_remove(0);
    let column = |name: &str| header.iter().position(|cell| cell == name).unwrap();
    let (wall, yaw) = (column("background"), column("yaw"));
    let [of_shapes, of_walls, of_turns] = [rows(&shapes), rows(&walls), rows(&turns)];
    assert_eq!([of_shapes.len(), of_walls.len(), of_turns.len()], [241; 3]);
    for ((by_shape, by_wall), by_yaw) in of_shapes.iter().zip(&of_walls).zip(&of_turns).skip(1) {
        let (split, rest) = by_shape[0].split_once('/').unwrap();
        let name = rest.split_once('/').unwrap().1;
        let kind = Background::NAMES[by_shape[wall].parse::<usize>().unwrap()];
        assert_eq!(by_wall[0], format!("{split}/{kind}/{name}"));
        assert_eq!(by_yaw[0], format!("{split}/yaw-{}/{name}", by_shape[yaw]));
        assert_eq!(by_wall[1..], by_shape[1..], "the columns say the same");
        assert_eq!(fs::read(walls.join(&by_wall[0])).unwrap(), fs::read(shapes.join(&by_shape[0])).unwrap());
    }
    assert!(!fs::read_to_string(shapes.join("attributes.json")).unwrap().contains("folders"));
    assert!(
        fs::read_to_string(walls.join("attributes.json")).unwrap().contains("\"folders\": \"background\"")
    );
}

#[test]
fn an_attribute_is_held_in_any_of_its_bins_and_no_other_moves() {
    for (at, attribute) in ATTRIBUTES.iter().enumerate() {
        for bin in 0..attribute.bins.count() {
            let fixed: Fixed = format!("{}={bin}", attribute.name).parse().unwrap();
            if let Bins::Names(names) = attribute.bins {
                let by_name = format!("{}={}", attribute.name, names[bin as usize]);
                assert_eq!(fixed, by_name.parse().unwrap());
            }
            for index in 0..500 {
                let drawn = Scene::draw(11, index);
                let mut expected = drawn.attributes();
                expected[at] = bin;
                assert_eq!(drawn.fixed(fixed).attributes(), expected, "{} {bin} {index}", attribute.name);
            }
        }
    }
    // within the bin a quantity still varies
    let yaws = (0..200).map(|index| Scene::draw(1, index).fixed("yaw=3".parse().unwrap()).yaw);
    let (least, most) = yaws.fold((360.0_f32, 0.0_f32), |(least, most), yaw| (least.min(yaw), most.max(yaw)));
    assert!(least < 138.0 && most > 177.0, "{least} to {most}");

    let room = TempDir::new().unwrap();
    let out = room.path().join("out");
    let fixed = ["background=flat", "texture=marble"].map(|text| text.parse().unwrap()).to_vec();
    rendered(&out, &SceneOptions { fixed, ..options(40) });
    for row in &rows(&out)[1..] {
        assert_eq!(row[8..], ["4", "0"], "texture and background");
    }
    let description = fs::read_to_string(out.join("attributes.json")).unwrap();
    assert!(description.contains("\"fixed\": {"), "{description}");
}

#[test]
fn what_cannot_be_held_or_named_after_is_refused() {
    for (text, message) in [
        ("background", "`background` names no value; write it as `background=flat` or `yaw=0`"),
        ("backdrop=flat", "no attribute is called `backdrop`; there are yaw, pitch, "),
        ("background=6", "`background` has no `6`; it has flat, gradient, clouds, bokeh, floor, tiles"),
        ("yaw=flat", "`yaw` has no `flat`; it has the numbers from 0 to 7"),
        ("yaw=-1", "`yaw` has no `-1`; "),
    ] {
        let error = text.parse::<Fixed>().unwrap_err().to_string();
        assert!(error.starts_with(message), "{text}: {error}");
    }
    assert!("colour".parse::<By>().is_err());

    let room = TempDir::new().unwrap();
    let flat: Fixed = "background=flat".parse().unwrap();
    let by: By = "background".parse().unwrap();
    for (asked, message) in [
        (
            SceneOptions { by, fixed: vec![flat], ..options(80) },
            "all pictures would be in one folder: `background`",
        ),
        (
            SceneOptions { fixed: vec![flat, "background=1".parse().unwrap()], ..options(80) },
            "`background` is fixed twice",
        ),
        (SceneOptions { by, valid: 0.5, ..options(16) }, "none of 16 pictures would be in `"),
    ] {
        let error = refused(&room.path().join("out"), &asked);
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(miette::Diagnostic::help(&error).is_some(), "{error}");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0, "nothing is written: {error}");
    }
}

/// Pixels that differ clearly (by more than 10 of 255 in some channel).
fn changed(a: &[u8], b: &[u8]) -> usize {
    a.chunks_exact(3)
        .zip(b.chunks_exact(3))
        .filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 10))
        .count()
}

/// The scene with one attribute moved by one bin, and by nothing else.
fn moved(scene: &Scene, column: usize) -> Scene {
    let mut other = scene.clone();
    let step = |value: &mut f32| {
        if let Bins::Steps { low, high, count, circular, .. } = ATTRIBUTES[column].bins {
            let width = (high - low) / count as f32;
            *value += if circular || *value + width < high { width } else { -width };
            if circular && *value >= high {
                *value -= high - low;
            }
        }
    };
    match ATTRIBUTES[column].name {
        "yaw" => step(&mut other.yaw),
        "pitch" => step(&mut other.pitch),
        "light_azimuth" => step(&mut other.light_azimuth),
        "light_elevation" => step(&mut other.light_elevation),
        "hue" => step(&mut other.hue),
        "scale" => step(&mut other.scale),
        "texture" => other.texture = Texture::ALL[(other.texture as usize + 1) % Texture::ALL.len()],
        "background" => {
            other.background = Background::ALL[(other.background as usize + 1) % Background::ALL.len()];
        }
        name => panic!("a new attribute, `{name}`: say how to move it"),
    }
    let differ: Vec<usize> =
        (0..ATTRIBUTES.len()).filter(|&i| scene.attributes()[i] != other.attributes()[i]).collect();
    assert_eq!(differ, [column], "only `{}` moves", ATTRIBUTES[column].name);
    other
}

#[test]
fn every_attribute_shows_in_every_picture() {
    const SIZE: u32 = 96;
    for (column, attribute) in ATTRIBUTES.iter().enumerate() {
        let mut pixels: Vec<(usize, u64)> = (0..96)
            .map(|index| {
                let scene = Scene::draw(11, index);
                (changed(&scene.paint(SIZE), &moved(&scene, column).paint(SIZE)), index)
            })
            .collect();
        pixels.sort_unstable();
        let (least, median) = (pixels[0], pixels[pixels.len() / 2].0);
        eprintln!(
            "{}: one bin changes {median} of {} pixels, at least {}",
            attribute.name,
            SIZE * SIZE,
            least.0
        );
        assert!(
            least.0 >= 25,
            "`{}` hardly shows in picture {}: {} pixels",
            attribute.name,
            least.1,
            least.0
        );
        assert!(median >= 200, "`{}` shows too little: {median} pixels", attribute.name);
    }
}

/// The hardest case: a ball looks the same from all sides, but for its two marks.
#[test]
fn pose_shows_on_a_plain_ball() {
    let ball = (0..)
        .map(|index| Scene::draw(2, index))
        .find(|s| s.shape == Shape::Sphere && s.background == Background::Flat && s.scale < 0.6)
        .expect("there is one");
    for quarter in 0..16 {
        let scene =
            Scene { yaw: 22.5 * quarter as f32 + 1.0, pitch: -15.0, texture: Texture::Plain, ..ball.clone() };
        let here = scene.paint(128);
        for (name, other) in [("yaw", moved(&scene, 0)), ("pitch", moved(&scene, 1))] {
            let pixels = changed(&here, &other.paint(128));
            assert!(pixels >= 100, "{name} at yaw {}: {pixels} pixels", scene.yaw);
        }
        // leaning to the camera or away is not the same either
        let mirrored = Scene { pitch: 15.0, ..scene.clone() };
        assert!(changed(&here, &mirrored.paint(128)) >= 100, "the sign of pitch at yaw {}", scene.yaw);
    }
}

#[test]
fn one_picture_is_a_data_set() {
    let room = TempDir::new().unwrap();
    let out = room.path().join("new/deep/out");
    let seen = AtomicUsize::new(0);
    let summary = render(&out, &SceneOptions { size: 128, ..options(1) }, &|done, total| {
        assert_eq!((done, total), (1, 1));
        seen.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(seen.into_inner(), 1);
    assert_eq!((summary.pictures, summary.valid), (1, 0));
    let shape = Scene::draw(7, 0).shape.name();
    let names: Vec<_> = files(&out).into_keys().collect();
    let expected = ["README.md", "attributes.csv", "attributes.json", &format!("{shape}/000000.png")];
    assert_eq!(names, expected.map(PathBuf::from));
    assert_eq!(fs::metadata(out.join(shape).join("000000.png")).unwrap().len(), summary.bytes);
    // no folder of a class without pictures, no rest of the temporary folder
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn progress_counts_every_picture() {
    let room = TempDir::new().unwrap();
    let sum = AtomicUsize::new(0);
    render(&room.path().join("out"), &options(20), &|done, total| {
        assert_eq!(total, 20);
        sum.fetch_add(done, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(sum.into_inner(), 20 * 21 / 2);
}

#[test]
fn bad_options_are_refused() {
    let room = TempDir::new().unwrap();
    let out = room.path().join("out");
    let base = options(8);
    for (asked, message) in [
        (SceneOptions { count: 0, ..base.clone() }, "cannot render 0 pictures"),
        (SceneOptions { size: 0, ..base.clone() }, "cannot render pictures of 0 × 0 pixels"),
        (SceneOptions { size: 15, ..base.clone() }, "cannot render pictures of 15 × 15 pixels"),
        (SceneOptions { size: 4096, ..base.clone() }, "cannot render pictures of 4096 × 4096 pixels"),
        (SceneOptions { valid: 1.0, ..base.clone() }, "`valid` is 1, which is not a share of the pictures"),
        (
            SceneOptions { valid: -0.1, ..base.clone() },
            "`valid` is -0.1, which is not a share of the pictures",
        ),
        (
            SceneOptions { valid: f64::NAN, ..base.clone() },
            "`valid` is NaN, which is not a share of the pictures",
        ),
        (
            SceneOptions { count: 39, valid: 0.2, ..base.clone() },
            "39 pictures are too few to set a share of 0.2 aside: some shape would not be in `valid`",
        ),
        (
            SceneOptions { count: 39, valid: 1e-300, ..base.clone() },
            "39 pictures are too few to set a share of 0.000",
        ),
    ] {
        let error = refused(&out, &asked);
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(miette::Diagnostic::help(&error).is_some(), "{error}");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0, "nothing is written: {error}");
    }
}

#[test]
fn a_full_folder_is_not_overwritten_by_accident() {
    let room = TempDir::new().unwrap();
    let out = room.path().join("out");
    fs::create_dir(&out).unwrap();
    rendered(&out, &options(8)); // an empty folder is as good as none
    let before = files(&out);

    let error = refused(&out, &options(9));
    assert_eq!(error.to_string(), format!("`{}` is not empty", out.display()));
    assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("`--force`"));
    assert_eq!(files(&out), before);

    rendered(&out, &SceneOptions { force: true, ..options(9) });
    assert_eq!(files(&out).len(), 9 + 3, "the earlier pictures are gone");
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn force_replaces_nothing_but_scenes() {
    let room = TempDir::new().unwrap();
    for (name, file, text) in [
        ("thesis", "thesis.tex", "years of work"),
        ("other", "attributes.json", r#"{ "format": "somebody else's" }"#),
        ("broken", "attributes.json", "{"),
    ] {
        let out = room.path().join(name);
        fs::create_dir(&out).unwrap();
        fs::write(out.join(file), text).unwrap();
        let error = refused(&out, &SceneOptions { force: true, ..options(8) });
        assert!(matches!(error, ScenesError::NotScenes { .. }), "{error}");
        assert_eq!(fs::read_to_string(out.join(file)).unwrap(), text);
    }
}

#[test]
fn a_target_that_cannot_be_written_is_named() {
    let room = TempDir::new().unwrap();
    let file = room.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    assert_eq!(
        refused(&file, &options(8)).to_string(),
        format!("`{}` is a file, not a folder", file.display())
    );
    let error = refused(&file.join("below"), &options(8));
    assert!(matches!(error, ScenesError::Disk { .. }), "{error}");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let room = TempDir::new().unwrap();
    let locked = room.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write anywhere");
        return;
    }
    let error = refused(&locked.join("out"), &options(8));
    assert!(error.to_string().starts_with("cannot write in"), "{error}");
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
}

/// The disk fails in the middle: here, because the temporary folder vanishes under the render.
#[test]
fn a_render_that_fails_leaves_nothing() {
    let room = TempDir::new().unwrap();
    let out = room.path().join("out");
    rendered(&out, &options(8));
    let before = files(&out);
    let error = render(&out, &SceneOptions { force: true, ..options(400) }, &|done, _| {
        if done == 5 {
            for entry in fs::read_dir(room.path()).unwrap() {
                let path = entry.unwrap().path();
                if path != out {
                    // the other thread may write into it meanwhile
                    while path.exists() {
                        let _ = fs::remove_dir_all(&path);
                    }
                }
            }
        }
    })
    .expect_err("the pictures have nowhere to go");
    assert!(error.to_string().starts_with("cannot write"), "{error}");
    assert_eq!(files(&out), before, "the earlier render stands");
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1, "nothing is left beside it");
}
