//! What holds for any text and any recipe.

mod common;

use common::SOUND;
use luthier_recipe::*;
use proptest::prelude::*;
use proptest::sample::select;

fn positive() -> impl Strategy<Value = f64> {
    prop_oneof![1e-12..1e3_f64, Just(f64::MIN_POSITIVE), Just(1e16), Just(f64::MAX), Just(0.1)]
}

fn share() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0_f64, Just(0.0)]
}

fn inside() -> impl Strategy<Value = f64> {
    1e-6..0.999_f64
}

fn rising() -> impl Strategy<Value = [f64; 2]> {
    (1e-3..2.0_f64, prop_oneof![Just(0.0), 0.0..3.0_f64]).prop_map(|(low, more)| [low, low + more])
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![1..1000_u64, Just(i64::MAX as u64)]
}

/// Text that TOML has to quote with care.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z/._*-]{1,12}", "\\PC{1,8}", Just("a\"b\\c\u{7f}\u{1}\n\t'''é".to_string())]
}

fn size() -> impl Strategy<Value = Size> {
    let side = || 1..=16384_u32;
    prop_oneof![side().prop_map(Size::One), [side(), side()].prop_map(Size::Pair)]
}

fn every() -> impl Strategy<Value = Every> {
    prop_oneof![count().prop_map(Every::Epochs), count().prop_map(Every::Steps)]
}

fn transform() -> impl Strategy<Value = Transform> {
    let chance = || prop_oneof![share(), Just(1.0)];
    prop_oneof![
        size().prop_map(|size| Transform::Resize { size }),
        size().prop_map(|size| Transform::CenterCrop { size }),
        (size(), rising(), rising()).prop_map(|(size, scale, ratio)| Transform::RandomResizedCrop {
            size,
            scale,
            ratio
        }),
        chance().prop_map(|p| Transform::RandomHorizontalFlip { p }),
        (share(), share(), share(), 0.0..0.5_f64, chance()).prop_map(
            |(brightness, contrast, saturation, hue, p)| Transform::ColorJitter {
                brightness,
                contrast,
                saturation,
                hue,
                p
            }
        ),
        chance().prop_map(|p| Transform::RandomGrayscale { p }),
        (0..500_u32, rising(), chance()).prop_map(|(half, sigma, p)| Transform::GaussianBlur {
            kernel_size: 2 * half + 1,
            sigma,
            p
        }),
    ]
}

fn chain() -> impl Strategy<Value = Vec<Transform>> {
    let channel = || 0.001..1.0_f32;
    let normalize = ([channel(), channel(), channel()], [channel(), channel(), channel()])
        .prop_map(|(mean, std)| Transform::Normalize { mean, std });
    (prop::collection::vec(transform(), 0..4), prop::option::of(normalize))
        .prop_map(|(chain, last)| chain.into_iter().chain(last).collect())
}

fn split() -> impl Strategy<Value = Split> {
    let folds = inside().prop_flat_map(|valid| {
        (0..(1.0 / valid).round() as u64).prop_map(move |fold| Split {
            train: None,
            valid,
            test: 0.0,
            stratified: true,
            fold,
        })
    });
    let three = (1e-6..0.5_f64, 1e-6..0.49_f64, any::<bool>(), any::<bool>()).prop_map(
        |(valid, test, given, mix)| {
            let train = given.then_some(1.0 - (valid + test));
            Split { train, valid, test, stratified: mix, fold: 0 }
        },
    );
    prop_oneof![folds, three]
}

/// Pictures, or a table of texts: what goes with the one does not go with the other.
fn data(texts: bool) -> impl Strategy<Value = Data> {
    let places = prop_oneof![
        (text(), text()).prop_map(|(train, valid)| (Some(train), None, Some(valid), None)),
        (text(), split()).prop_map(|(train, split)| (Some(train), None, None, Some(split))),
        (text(), split()).prop_map(|(path, split)| (None, Some(path), None, Some(split))),
    ];
    let balance = select(vec![Balance::None, Balance::Undersample, Balance::Oversample]);
    let column = || text().prop_map(Column::Name);
    let index = || (0..99_u64).prop_map(Column::Index);
    let columns = prop_oneof![
        (column(), column()).prop_filter("two columns", |(label, text)| label != text),
        (index(), column()),
        (column(), index()),
    ]
    .prop_map(|(label, text)| Columns { label, text });
    let max_length =
        prop_oneof![Just(MaxLength::Word(Longest::Longest)), (1..9999_u64).prop_map(MaxLength::Tokens)];
    let format = select(vec![DataFormat::Tsv, DataFormat::Csv, DataFormat::Parquet]);
    let side = select(vec![PaddingSide::Left, PaddingSide::Right]);
    let words = (prop::option::of(text()), prop::option::of(text()), prop::option::of(any::<bool>()), side);
    let table = (columns, max_length, format, words, any::<bool>());
    let pictures = (prop::collection::vec(text(), 0..3), chain(), chain());
    let on_error = select(vec![OnError::Skip, OnError::Fail]);
    let common = (on_error, positive(), (0..99_usize, 0..9999_usize), balance);
    (places, common, pictures, table).prop_map(
        move |(
            (train, path, valid, split),
            (on_error, max_megapixels, (workers, cache_mib), balance),
            (exclude, chain, eval),
            (columns, max_length, format, (tokenizer, pad_token, header, padding_side), length_buckets),
        )| Data {
            format: if texts { format } else { DataFormat::ImageFolder },
            attributes: None,
            train: train.map(Into::into),
            path: path.map(Into::into),
            valid: valid.map(Into::into),
            test: None,
            split,
            balance,
            columns: texts.then_some(columns),
            target: None,
            features: None,
            scale: Scale::None,
            scale_target: Scale::None,
            header: header.filter(|_| texts),
            tokenizer: tokenizer.filter(|_| texts),
            max_length,
            pad_token: pad_token.filter(|_| texts),
            padding_side,
            length_buckets: length_buckets && texts,
            exclude: if texts { Vec::new() } else { exclude },
            on_error,
            max_megapixels,
            workers,
            cache_mib,
            transform: (!texts).then_some(Transforms { train: chain, eval }),
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        (share(), share()).prop_map(|(momentum, dampening)| Rule::SGD {
            momentum,
            dampening,
            nesterov: false
        }),
        inside().prop_map(|momentum| Rule::SGD { momentum, dampening: 0.0, nesterov: true }),
        ([share(), share()], positive()).prop_map(|(betas, eps)| Rule::Adam { betas, eps }),
        ([share(), share()], positive()).prop_map(|(betas, eps)| Rule::AdamW { betas, eps }),
        (share(), positive(), share(), any::<bool>()).prop_map(|(alpha, eps, momentum, centered)| {
            Rule::RMSprop { alpha, eps, momentum, centered }
        }),
        ([share(), share()], positive(), spared()).prop_map(|(betas, eps, exclude)| Rule::LAMB {
            betas,
            eps,
            exclude
        }),
        (share(), positive(), spared()).prop_map(|(momentum, trust_coefficient, exclude)| Rule::LARS {
            momentum,
            trust_coefficient,
            exclude
        }),
    ]
}

fn spared() -> impl Strategy<Value = Vec<NoDecay>> {
    prop::collection::vec(select(vec![NoDecay::Bias, NoDecay::Norm]), 0..3)
}

fn group() -> impl Strategy<Value = Group> {
    let rate = prop_oneof![
        positive().prop_map(|lr| (Some(lr), None)),
        positive().prop_map(|scale| (None, Some(scale)))
    ];
    (text(), rate, prop::option::of(share())).prop_map(|(pattern, (lr, lr_scale), weight_decay)| Group {
        pattern,
        lr,
        lr_scale,
        weight_decay,
    })
}

fn optim() -> impl Strategy<Value = Optim> {
    let layer_decay = prop::option::of(inside());
    (rule(), positive(), share(), spared(), layer_decay, prop::collection::vec(group(), 0..3)).prop_map(
        |(rule, lr, weight_decay, no_decay, layer_decay, groups)| Optim {
            rule,
            lr,
            weight_decay,
            no_decay,
            layer_decay,
            groups,
        },
    )
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let milestones = prop::collection::btree_set(1..999_u64, 1..4).prop_map(|set| set.into_iter().collect());
    let strategy = select(vec![Anneal::Cos, Anneal::Linear]);
    let one_cycle = (prop::option::of(positive()), inside(), positive(), positive(), strategy).prop_map(
        |(max_lr, pct_start, div_factor, final_div_factor, anneal_strategy)| Curve::OneCycleLR {
            max_lr,
            pct_start,
            div_factor,
            final_div_factor,
            anneal_strategy,
        },
    );
    let curve = prop_oneof![
        Just(Curve::Constant),
        (count(), positive()).prop_map(|(step_size, gamma)| Curve::StepLR { step_size, gamma }),
        (milestones, positive()).prop_map(|(milestones, gamma)| Curve::MultiStepLR { milestones, gamma }),
        positive().prop_map(|gamma| Curve::ExponentialLR { gamma }),
        (prop::option::of(count()), share())
            .prop_map(|(t_max, eta_min)| Curve::CosineAnnealingLR { t_max, eta_min }),
        one_cycle,
        (inside(), inside(), prop::option::of(count())).prop_map(
            |(start_factor, end_factor, total_iters)| {
                Curve::LinearLR { start_factor, end_factor, total_iters }
            }
        ),
        (inside(), 0..99_u64, share(), share()).prop_map(|(factor, patience, threshold, min_lr)| {
            Curve::ReduceLROnPlateau { factor, patience, threshold, min_lr }
        }),
    ];
    (curve, any::<bool>(), 0..999_u64, share()).prop_map(|(curve, by_step, steps, start)| {
        let one_cycle = matches!(curve, Curve::OneCycleLR { .. });
        let unit = if one_cycle || by_step { Unit::Step } else { Unit::Epoch };
        Schedule { curve, unit, warmup: Warmup { steps: if one_cycle { 0 } else { steps }, start } }
    })
}

fn train() -> impl Strategy<Value = Train> {
    let precision = select(vec![Precision::Auto, Precision::Fp32, Precision::Bf16, Precision::Fp16]);
    let ema = prop::option::of(inside().prop_map(|decay| Ema { decay }));
    let stopping =
        (0..9_u64, share()).prop_map(|(patience, min_delta)| EarlyStopping { patience, min_delta });
    let checkpoint = (every(), count()).prop_map(|(every, keep)| Checkpoint { every, keep });
    let prefix_cache = (any::<bool>(), count(), count())
        .prop_map(|(enabled, memory_mib, disk_mib)| PrefixCache { enabled, memory_mib, disk_mib });
    let monitor = (any::<bool>(), prop::option::of(count()));
    let monitor = monitor.prop_map(|(enabled, every)| Monitor { enabled, every, gradient_cosine: false });
    let on_divergence = select(vec![OnDivergence::Stop, OnDivergence::GoOn]);
    (
        (count(), count(), count(), any::<bool>(), any::<bool>()),
        (prop::option::of(positive()), precision, ema, prop::option::of(stopping), checkpoint, prefix_cache),
        (monitor, on_divergence),
    )
        .prop_map(
            |(
                (epochs, batch_size, grad_accum, drop_last, shuffle),
                (clip_grad_norm, precision, ema, early_stopping, checkpoint, prefix_cache),
                (monitor, on_divergence),
            )| Train {
                epochs,
                batch_size,
                grad_accum,
                drop_last,
                shuffle,
                clip_grad_norm,
                precision,
                grad_scaler: GradScaler::default(),
                prefix_cache,
                shortcuts: !drop_last,
                interleave: Interleave::default(),
                epoch_ends: EpochEnds::default(),
                task_weighting: TaskWeighting::default(),
                ema,
                early_stopping,
                checkpoint,
                monitor,
                on_divergence,
            },
        )
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let patterns = |least| prop::collection::vec(text(), least..3);
    // what is trained is named, or what is not
    let chosen = prop_oneof![
        patterns(0).prop_map(|freeze| (freeze, None)),
        patterns(1).prop_map(|train| (Vec::new(), Some(train))),
    ];
    let pool = select(vec![Pool::LastToken, Pool::Cls, Pool::Mean]);
    let arch = prop_oneof![
        select(vec![Arch::Resnet18, Arch::Resnet34, Arch::Resnet50, Arch::EfficientnetLite0])
            .prop_map(|arch| (arch, None, None)),
        prop::option::of(text()).prop_map(|config| (Arch::Vit, config, None)),
        (select(vec![Arch::Gpt2, Arch::Bert]), prop::option::of(text()), prop::option::of(pool)),
    ];
    let lora = (prop::option::of(1..99_u64), positive(), share(), patterns(1), prop::bool::ANY).prop_map(
        |(r, alpha, dropout, names, use_dora)| Lora {
            r,
            alpha: Some(alpha),
            dropout,
            target_modules: Some(LoraTargets::Named(names)),
            bias: LoraBias::LoraOnly,
            modules_to_save: None,
            use_rslora: !use_dora,
            use_dora,
            adapter: None,
        },
    );
    let lora = prop::option::of(lora);
    let model = (arch, text(), (chosen, lora), patterns(0), prop::option::of(share())).prop_map(
        |((arch, config, pool), weights, ((freeze, train), lora), allow_unmatched, dropout)| Model {
            arch,
            weights: Some(weights),
            heads: Default::default(),
            layers: None,
            init: None,
            output: OutputAct::None,
            vit: None,
            config,
            pool,
            // LoRA says what is trained
            freeze: if lora.is_some() { Vec::new() } else { freeze },
            train: train.filter(|_| lora.is_none()),
            lora,
            allow_unmatched,
            dropout,
        },
    );
    let class_weights = prop_oneof![
        Just(ClassWeights::Rule(ClassWeightRule::None)),
        Just(ClassWeights::Rule(ClassWeightRule::Balanced)),
        prop::collection::vec(positive(), 1..4).prop_map(ClassWeights::Each),
    ];
    let input = select(vec![LossInput::Logits, LossInput::Probabilities]);
    let reduction = select(vec![Reduction::Mean, Reduction::Sum]);
    let loss = (0..6_u8, share(), class_weights, input, reduction).prop_map(
        |(kind, share, class_weights, input, reduction)| match kind {
            0 => {
                let label_smoothing = if input == LossInput::Logits { share } else { 0.0 };
                Loss::CrossEntropy { label_smoothing, class_weights, input, reduction }
            }
            1 => Loss::Bce { class_weights, input, reduction },
            2 => Loss::Mse { reduction },
            3 => Loss::Mae { reduction },
            4 => Loss::SmoothL1 { beta: share + 0.5, reduction },
            _ => Loss::Hinge { reduction },
        },
    );
    let metric = select(vec![Metric::Loss, Metric::Accuracy]);
    let at_end =
        prop::collection::vec(select(vec![SplitName::Train, SplitName::Valid, SplitName::Test]), 0..3);
    let eval = (every(), prop::option::of(count()), prop::option::of(count()), at_end, metric).prop_map(
        |(every, batch_size, batches, at_end, metric)| Eval { every, batch_size, batches, at_end, metric },
    );
    let seed = prop_oneof![0..9_u64, Just(i64::MAX as u64)];
    let task = select(vec![Task::ImageClassification, Task::TextClassification]);
    let data = task.prop_flat_map(|task| data(task == Task::TextClassification).prop_map(move |d| (task, d)));
    let backend = select(vec![Backend::Gloo, Backend::Nccl, Backend::Mpi]);
    let distributed = (backend, count(), 1..4097_u64, any::<bool>()).prop_map(
        |(backend, timeout, bucket_mb, sync_batch_norm)| Distributed {
            backend,
            timeout,
            bucket_mb,
            sync_batch_norm,
        },
    );
    // boxed: as one value, the strategies of all tables are more than a test thread's stack
    let run = (train(), eval, distributed).boxed();
    let as_it_is = ("[a-zé0-9_]{5,12}", seed, data, model, (loss, optim(), schedule()), run).prop_map(
        |(name, seed, (task, data), model, (loss, optim, schedule), (train, eval, distributed))| Recipe {
            name,
            task,
            seed,
            data,
            model,
            loss,
            contrastive: None,
            optim,
            schedule,
            stages: stages(&train),
            streams: Vec::new(),
            train,
            eval,
            distributed,
        },
    );
    (as_it_is, prop::option::of(rows())).prop_map(|(recipe, rows)| match rows {
        Some(rows) => rows.put(recipe),
        None => recipe,
    })
}

/// What a recipe over a table of numbers and words has of its own.
#[derive(Debug, Clone)]
struct Rows {
    regression: bool,
    target: Column,
    features: Option<Vec<Column>>,
    scales: (Scale, Scale),
    layers: Vec<Layer>,
    init: Init,
    output: OutputAct,
}

fn rows() -> impl Strategy<Value = Rows> {
    let column = || prop_oneof![(0..99_u64).prop_map(Column::Index), text().prop_map(Column::Name)];
    let scale = || select(vec![Scale::None, Scale::Standardize, Scale::Minmax]);
    let features = prop::option::of(prop::collection::vec(column(), 1..4));
    let init = prop_oneof![
        Just(Init::default()),
        positive().prop_map(|std| Init { weights: WeightInit::Normal, std: Some(std), ..Init::default() }),
        share().prop_map(|value| Init {
            weights: WeightInit::Constant,
            value: Some(-value),
            bias: BiasInit::Number(value),
            ..Init::default()
        }),
    ];
    let output = select(vec![OutputAct::None, OutputAct::Sigmoid, OutputAct::Softmax, OutputAct::Elu]);
    let scales = (scale(), scale());
    let layers = prop::collection::vec(layer(), 1..5);
    (any::<bool>(), column(), features, scales, layers, init, output).prop_map(
        |(regression, target, features, scales, layers, init, output)| Rows {
            regression,
            target,
            features,
            scales,
            layers,
            init,
            output,
        },
    )
}

fn layer() -> impl Strategy<Value = Layer> {
    let none = Layer::default;
    let act = select(vec![Act::Relu, Act::LeakyRelu, Act::Gelu, Act::Softmax, Act::Identity]);
    prop_oneof![
        (count(), prop::option::of(any::<bool>())).prop_map(move |(n, bias)| Layer {
            linear: Some(Width::Outputs(n)),
            bias,
            ..none()
        }),
        act.prop_map(move |act| Layer { act: Some(act), ..none() }),
        share().prop_map(move |rate| Layer { dropout: Some(rate), ..none() }),
        Just(Layer { batch_norm: Some(true), ..none() }),
        Just(Layer { layer_norm: Some(true), ..none() }),
        (count(), prop::option::of(count()), prop::option::of(0..9_u64)).prop_map(
            move |(conv, kernel, padding)| Layer {
                conv: Some(conv),
                kernel,
                stride: kernel,
                padding,
                ..none()
            }
        ),
        Just(Layer { max_pool: Some(2), ..none() }),
        Just(Layer { unflatten: Some([1, 28, 28]), ..none() }),
    ]
}

impl Rows {
    fn put(self, recipe: Recipe) -> Recipe {
        let Rows { regression, target, features, scales, layers, init, output } = self;
        let (task, scale_target, loss) = if regression {
            (Task::Regression, scales.1, Loss::Mse { reduction: recipe.loss.reduction() })
        } else {
            (Task::Classification, Scale::None, recipe.loss)
        };
        let data = Data {
            format: DataFormat::Csv,
            target: Some(if regression { Target::Several(vec![target]) } else { Target::One(target) }),
            features,
            scale: scales.0,
            scale_target,
            columns: None,
            tokenizer: None,
            pad_token: None,
            length_buckets: false,
            exclude: Vec::new(),
            transform: None,
            balance: if regression { Balance::None } else { recipe.data.balance },
            ..recipe.data
        };
        let model = Model {
            arch: Arch::Sequential,
            weights: None,
            layers: Some(layers),
            init: Some(init),
            output,
            config: None,
            pool: None,
            vit: None,
            ..recipe.model
        };
        let metric = if regression { Metric::R2 } else { recipe.eval.metric };
        Recipe { task, data, loss, model, eval: Eval { metric, ..recipe.eval }, ..recipe }
    }
}

/// Two stages that go with a training table, where it can be cut in two.
fn stages(train: &Train) -> Vec<Stage> {
    if train.epochs < 2 || train.ema.is_some() || train.shuffle {
        return Vec::new();
    }
    let stage = |name: &str, epochs, train: &[&str], freeze: &[&str], lr_scale| Stage {
        name: name.into(),
        epochs,
        train: train.iter().map(ToString::to_string).collect(),
        freeze: freeze.iter().map(ToString::to_string).collect(),
        lr_scale,
        loss: Vec::new(),
        heads: None,
    };
    vec![
        stage("head", train.epochs / 2, &["fc.*"], &[], 1.0),
        stage("rest", train.epochs - train.epochs / 2, &[], &["conv1.*"], 0.1),
    ]
}

/// Every `key=value` of a recipe, as `--set` would have it.
fn assignments(value: &serde_json::Value, path: &str, sets: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                assignments(value, &path, sets);
            }
        }
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                assignments(value, &format!("{path}[{index}]"), sets);
            }
        }
        // numbers, texts and lists of them are written alike in JSON and TOML, but for one character
        value => sets.push(format!("{path}={}", value.to_string().replace('\u{7f}', "\\u007f"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_rendered_recipe_reads_back_the_same(recipe in recipe()) {
        let rendered = render(&recipe);
        match parse("recipe.toml", &rendered, &[]) {
            Ok(loaded) => prop_assert_eq!(loaded.recipe, recipe),
            Err(error) => prop_assert!(false, "{:?}\n{}", error, rendered),
        }
    }

    #[test]
    fn a_recipe_can_be_made_of_set_arguments_alone(recipe in recipe()) {
        let mut sets = Vec::new();
        assignments(&serde_json::to_value(&recipe).expect("recipes are JSON"), "", &mut sets);
        match parse("recipe.toml", "", &sets) {
            Ok(loaded) => prop_assert_eq!(loaded.recipe, recipe),
            Err(error) => prop_assert!(false, "{:?}\n{:#?}", error, sets),
        }
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}", set in "\\PC{0,20}") {
        let _ = shown(&text, &[]);
        let _ = shown(SOUND, &[set]);
    }

    #[test]
    fn any_toml_is_answered(text in "([a-z]{1,3}|name|optim|train|\\[|\\]|\\.|=| |\\{|\\}|,|\"|'|0|1e9|-|\n|#|inf|é){0,40}") {
        let _ = shown(&text, &[]);
        let _ = shown(SOUND, &[text]);
    }

    #[test]
    fn any_mutation_of_a_recipe_is_answered(
        at in 0..SOUND.len(),
        length in 0..40_usize,
        new in "([a-z]{1,3}|optim|\\[|\\]|=|\\{|\\}|,|\"|-|9|\n|é|\u{0}|\u{1b}|\u{9b}){0,6}",
    ) {
        let end = (at + length).min(SOUND.len());
        let text = format!("{}{new}{}", &SOUND[..at], &SOUND[end..]);
        let _ = shown(&text, &[]);
    }

    #[test]
    fn any_key_is_answered(key in "([a-z_]{1,4}|optim|lr|\\.|\\[|\\]|0|é){0,8}") {
        prop_assert!(explain(&key).is_none_or(|text| !text.is_empty()));
        let _ = suggest_key(&key);
    }
}

/// Parses, and draws the error if there is one: a label that lies outside its text would show here.
fn shown(text: &str, sets: &[String]) -> Option<String> {
    let error = parse("recipe.toml", text, sets).err()?;
    assert!(!error.problems().is_empty());
    let mut out = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    handler.render_report(&mut out, &error).expect("text takes anything");
    assert!(!out.contains("Failed to read contents"), "{out}");
    assert!(
        !out.contains(['\u{0}', '\u{1b}', '\u{9b}']),
        "a control character reaches the terminal: {out:?}"
    );
    Some(out)
}
