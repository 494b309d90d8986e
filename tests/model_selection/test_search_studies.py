"""Priors from past studies: scales, meta-features, datasets and spaces that change."""

import re
from pathlib import Path

import numpy as np
import optuna
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from optuna.distributions import CategoricalDistribution, FloatDistribution

from skmeta.model_selection import HyperparameterPrior, TransferSampler
from skmeta.model_selection._search._encoding import ConfigurationEncoder, conditional_names
from skmeta.model_selection._search._relevance import DatasetRelevance
from skmeta.model_selection._search._scale import ScaleModel
from skmeta.model_selection._search._space import UnitSpace

SPACE = {"C": FloatDistribution(0, 1)}


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def peak(place, level=0.0, width=1.0):
    return lambda config: level - width * (config["C"] - place) ** 2


def random_search(score, n_trials=20, seed=0):
    configs = [{"C": float(c)} for c in np.random.default_rng(seed).random(n_trials)]
    return configs, np.array([score(config) for config in configs])


def past(n=12, place=0.7, scales=None):
    scales = [1.0] * n if scales is None else scales
    return {
        f"dataset {i}": random_search(peak(place + 0.005 * i, 3 * scale, scale), seed=i)
        for i, scale in enumerate(scales)
    }


def follow(pool, scores, n_trials):
    tried = []
    for _ in range(n_trials):
        tried.append(pool.propose(tried, scores[tried]))
    return tried


class TestStudies:
    def test_default_and_portfolio(self):
        prior = HyperparameterPrior(random_state=0).fit_studies(past())
        assert prior.configs_[prior.default_]["C"] == pytest.approx(0.73, abs=0.1)
        assert sorted(prior.portfolio_) == list(range(len(prior.configs_)))
        assert prior.n_datasets_ == 12

    def test_optuna_studies_and_pairs_say_the_same(self):
        studies = {}
        for name, (configs, scores) in past(4).items():
            studies[name] = optuna.create_study(direction="minimize")
            for config, score in zip(configs, scores, strict=True):
                studies[name].add_trial(
                    optuna.create_trial(params=config, distributions=SPACE, value=-score)
                )
        one = HyperparameterPrior(random_state=0).fit_studies(studies)
        other = HyperparameterPrior(random_state=0).fit_studies(past(4), SPACE)
        assert one.space_ == SPACE
        assert_array_equal(one.portfolio_, other.portfolio_)

    def test_a_pool_of_other_configurations(self):
        pool = [{"C": float(c)} for c in np.linspace(0, 1, 101)]
        scores = np.array([peak(0.65)(config) for config in pool])
        prior = HyperparameterPrior(random_state=0).fit_studies(past())
        tried = follow(prior.pool(pool), scores, 5)
        assert len(set(tried)) == 5
        assert scores[tried].max() > -0.001

    def test_pending_configurations_are_not_proposed(self):
        prior = HyperparameterPrior(random_state=0).fit_studies(past(4))
        pool = prior.pool([{"C": float(c)} for c in np.linspace(0, 1, 5)])
        pending = []
        for _ in range(5):
            pending.append(pool.propose((), (), pending))
        assert sorted(pending) == list(range(5))
        with pytest.raises(ValueError, match="All 5 configurations were tried"):
            pool.propose([0, 1], [0.1, 0.2], [2, 3, 4])

    def test_errors(self):
        with pytest.raises(ValueError, match="two trials is needed"):
            HyperparameterPrior().fit_studies([([{"C": 1.0}], [0.5])])
        with pytest.raises(ValueError, match="2 configs but 1 scores"):
            HyperparameterPrior().fit_studies([([{"C": 1.0}, {"C": 2.0}], [0.5])])
        with pytest.raises(ValueError, match="fit it with configs"):
            HyperparameterPrior().fit(np.random.default_rng(0).random((3, 4))).pool([{}])


class TestDatasetsComeAndGo:
    def test_studies(self):
        everything = past(6)
        added = everything.pop("dataset 5")
        prior = HyperparameterPrior(random_state=0).fit_studies(everything)
        before = prior.portfolio_
        assert prior.add(added, name="dataset 5").n_datasets_ == 6
        assert [study.name for study in prior.studies_][-1] == "dataset 5"
        assert_array_equal(prior.remove("dataset 5").portfolio_, before)

    def test_table(self):
        table = np.random.default_rng(0).random((5, 4))
        prior = HyperparameterPrior(random_state=0).fit(table[:4], names=list("abcd"))
        whole = HyperparameterPrior(random_state=0).fit(table)
        assert_allclose(prior.add(table[4], name="e").mean_, whole.mean_)
        assert [study.name for study in prior.remove("b").studies_] == list("acde")

    def test_sampler(self):
        everything = past(5)
        sampler = TransferSampler(everything, SPACE, seed=0)
        sampler.add(random_search(peak(0.2)), name="new")
        sampler.remove("dataset 0")
        with pytest.raises(KeyError, match="dataset 0"):
            sampler.remove("dataset 0")
        with pytest.raises(ValueError, match="needs a name"):
            sampler.add(random_search(peak(0.2)))
        with pytest.raises(ValueError, match="'new' already"):
            sampler.add(random_search(peak(0.2)), name="new")
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(lambda trial: peak(0.7)({"C": trial.suggest_float("C", 0, 1)}), n_trials=5)
        assert study.best_value > -0.005

    def test_errors(self):
        prior = HyperparameterPrior(random_state=0).fit(np.eye(2), names=["a", "b"])
        with pytest.raises(ValueError, match="datasets are called a"):
            prior.add([0.5, 0.6], name="a")
        with pytest.raises(KeyError, match="No dataset is called 'c'"):
            prior.remove("c")
        with pytest.raises(ValueError, match="'b' is the only dataset"):
            prior.remove("a").remove("b")
        with pytest.raises(ValueError, match="study has 3 scores, expected 2"):
            HyperparameterPrior().fit(np.eye(2)).add([1.0, 2.0, 3.0], name="c")


class TestScale:
    @pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (500.0, 40.0), (-3.0, 1e-3)])
    def test_location_and_scale_are_found(self, location, scale):
        rng = np.random.default_rng(0)
        model = ScaleModel.from_past(rng.normal(size=20), np.exp(rng.normal(0, 0.3, size=20)))
        f = rng.normal(size=30)
        found = model.infer(location + scale * f, np.zeros(30), np.eye(30))
        assert found[0] == pytest.approx(location + scale * f.mean(), abs=0.2 * scale)
        assert found[1] == pytest.approx(scale, rel=0.4)

    def test_past_datasets_with_scales_of_their_own(self):
        """The units in which a dataset is measured change nothing."""
        scales = 10.0 ** np.linspace(-3, 3, 12)
        prior = HyperparameterPrior(random_state=0).fit_studies(past(scales=scales))
        pool = [{"C": float(c)} for c in np.linspace(0, 1, 101)]
        for scale in (1e-2, 1.0, 1e2):
            scores = np.array([peak(0.65, scale, scale)(config) for config in pool])
            tried = follow(prior.pool(pool), scores, 5)
            assert (scores.max() - scores[tried].max()) / np.ptp(scores) < 0.01

    def test_tables(self):
        rng = np.random.default_rng(0)
        table = rng.random((10, 8)) + np.linspace(0, 3, 8)
        own = table * 10.0 ** rng.uniform(-4, 4, size=(10, 1))
        prior = HyperparameterPrior(random_state=0).fit(own)
        assert prior.scale_ == "own"
        assert prior.default_ == 7
        assert HyperparameterPrior().fit(table).scale_ == "common"
        mean, _ = prior.posterior([0, 7], [1000.0, 4000.0])
        assert 1000 <= mean[3] <= 4000

    def test_a_new_dataset_on_another_scale(self):
        """Accuracies in the past, per cent now."""
        rng = np.random.default_rng(0)
        table = 0.9 - 0.3 * (np.linspace(0, 1, 12) - rng.normal(0.6, 0.1, size=(30, 1))) ** 2
        prior = HyperparameterPrior(random_state=0).fit(table, [{"C": c} for c in range(12)])
        row = 0.9 - 0.3 * (np.linspace(0, 1, 12) - 0.8) ** 2
        assert prior.scale_ == "common"
        for scores in (row, 100 * row, 1000 - row * 1e-3 + 2e-3 * row):
            tried = follow(prior, scores, 6)
            assert scores[tried].max() >= np.sort(scores)[-2]


class TestMetaFeatures:
    def two_kinds(self, n=40):
        """Where a dataset peaks is told by the first of three meta-features."""
        rng = np.random.default_rng(0)
        features = np.column_stack([np.arange(n) % 2, *rng.normal(size=(2, n))])
        places = np.where(features[:, 0] > 0, 0.8, 0.2)
        table = -((np.linspace(0, 1, 11) - places[:, None]) ** 2)
        return table + 0.01 * rng.normal(size=table.shape), features

    def test_datasets_like_the_new_one_weigh_more(self):
        table, features = self.two_kinds()
        configs = [{"C": float(c)} for c in np.linspace(0, 1, 11)]
        prior = HyperparameterPrior(random_state=0).fit(table, configs, meta_features=features)
        assert prior.meta_feature_share_ > 0.8
        assert configs[prior.propose(meta_features=[1, 0, 0])]["C"] == pytest.approx(0.8, abs=0.11)
        assert configs[prior.propose(meta_features=[0, 0, 0])]["C"] == pytest.approx(0.2, abs=0.11)
        assert prior.pool(configs, [1, 0, np.nan]).propose() in (7, 8, 9)

    @pytest.mark.parametrize("seed", range(4))
    def test_those_that_say_nothing_change_nothing(self, seed):
        table, _ = self.two_kinds()
        noise = np.random.default_rng(seed).normal(size=(40, 5))
        relevance = DatasetRelevance(noise, table)
        assert relevance.share < 0.1
        assert_allclose(relevance.weights(noise[0]), 1 / 40, atol=0.01)

    def test_few_datasets_or_unknown_meta_features(self):
        table, features = self.two_kinds(6)
        assert DatasetRelevance(features, table).share == 0
        assert DatasetRelevance(np.full((40, 2), np.nan), self.two_kinds()[0]).share == 0

    def test_sampler(self):
        studies = {
            i: random_search(peak([0.2, 0.8][i % 2]), seed=i, n_trials=15) for i in range(20)
        }
        features = [[i % 2] for i in range(20)]
        for kind, place in [(0, 0.2), (1, 0.8)]:
            sampler = TransferSampler(
                studies, SPACE, seed=0, meta_features=features, target_meta_features=[kind]
            )
            study = optuna.create_study(direction="maximize", sampler=sampler)
            assert study.ask().suggest_float("C", 0, 1) == pytest.approx(place, abs=0.15)

    def test_errors(self):
        table, features = self.two_kinds()
        with pytest.raises(ValueError, match="3 rows but there are 40 datasets"):
            HyperparameterPrior().fit(table, meta_features=features[:3])
        with pytest.raises(ValueError, match="fitted with meta_features"):
            HyperparameterPrior().fit(table).propose(meta_features=[1, 0, 0])
        prior = HyperparameterPrior(random_state=0).fit(table, meta_features=features)
        with pytest.raises(ValueError, match="has 2 values, but past datasets have 3"):
            prior.propose(meta_features=[1, 0])
        with pytest.raises(ValueError, match="needs meta_features of all past studies"):
            TransferSampler(past(3), SPACE, target_meta_features=[1.0])


class TestSpacesThatChange:
    def test_a_new_hyperparameter_is_not_a_conditional_one(self):
        old, new = [{"C": 1.0}, {"C": 2.0}], [{"C": 1.0, "d": 3.0}, {"C": 2.0, "d": 5.0}]
        assert conditional_names([old, new]) == set()
        assert conditional_names([[*old, *new]]) == {"d"}
        encoder = ConfigurationEncoder([*old, *new], studies=[old, new])
        assert_allclose(encoder.encode([old[0], new[0], new[1]])[:, -1], [0.5, 0, 1])

    def test_old_studies_serve_a_space_that_grew(self):
        space = SPACE | {
            "new": FloatDistribution(0, 1),
            "kind": CategoricalDistribution(["old", "newer"]),
        }
        study = optuna.create_study(
            direction="maximize", sampler=TransferSampler(past(6), space, seed=0)
        )

        def score(trial):
            new = trial.suggest_float("new", 0, 1)
            kind = trial.suggest_categorical("kind", ["old", "newer"])
            bonus = 0.5 * (kind == "newer") - (new - 0.5) ** 2
            return peak(0.7)({"C": trial.suggest_float("C", 0, 1)}) + bonus

        study.optimize(score, n_trials=15)
        assert study.trials[0].params["C"] == pytest.approx(0.7, abs=0.15)
        assert study.best_params["kind"] == "newer"
        assert study.best_value > 0.45

    def test_a_choice_that_came_since_in_a_conditional_space(self):
        configs = [{"kernel": "rbf", "gamma": 0.1 * i} for i in range(5)]
        configs += [{"kernel": "linear"}] * 2
        space = {
            "kernel": CategoricalDistribution(["linear", "rbf", "poly"]),
            "gamma": FloatDistribution(0, 1),
        }
        sampler = TransferSampler([(configs, np.linspace(0, 1, 7))] * 2, space, seed=0)
        study = optuna.create_study(direction="maximize", sampler=sampler)

        def score(trial):
            kernel = trial.suggest_categorical("kernel", ["linear", "rbf", "poly"])
            return {"linear": 0.5, "rbf": trial.suggest_float("gamma", 0, 1), "poly": 2.0}[kernel]

        study.optimize(score, n_trials=20)
        assert study.best_params["kernel"] == "poly"

    def test_unit_space_keeps_conditions(self):
        configs = [{"kernel": "rbf", "gamma": 0.1, "C": 1.0}, {"kernel": "linear", "C": 100.0}]
        space = UnitSpace([configs])
        assert space.names == ["C", "gamma", "kernel"]
        found = space.configurations(np.random.default_rng(0).random((50, 3)))
        assert all(("gamma" in config) == (config["kernel"] == "rbf") for config in found)
        assert all(1 <= config["C"] <= 100 for config in found)


class TestSampler:
    def test_from_a_prior(self):
        prior = HyperparameterPrior(random_state=0).fit_studies(past(6), SPACE)
        study = optuna.create_study(direction="maximize", sampler=TransferSampler(prior, seed=0))
        study.optimize(lambda trial: peak(0.7)({"C": trial.suggest_float("C", 0, 1)}), n_trials=4)
        assert study.best_value > -0.005

    def test_a_target_on_another_scale(self):
        study = optuna.create_study(
            direction="maximize", sampler=TransferSampler(past(6), SPACE, seed=0)
        )
        score = peak(0.65, 1e4, 1e6)
        study.optimize(lambda trial: score({"C": trial.suggest_float("C", 0, 1)}), n_trials=8)
        assert study.best_value > 1e4 - 1e3

    def test_the_space_must_be_known(self):
        with pytest.raises(ValueError, match="give it by `space`"):
            TransferSampler(past(3))


def test_the_page_runs():
    page = Path(__file__).parents[2] / "docs" / "hyperparameter_prior.md"
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        exec(block, names)
    assert names["first"] == 2
    assert len(names["values"]) == 26
