"""A loader a family of models, chosen at run time; the arguments are filled in another function."""
import os

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


class Loader:
    fast = True

    def fits(self, path):
        return True

    def load(self, path, settings):
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=self.fast)
        model = AutoModelForCausalLM.from_pretrained(path, low_cpu_mem_usage=True, **settings)
        return model, tokenizer


class LoaderA(Loader):
    def load(self, path, settings):
        return super().load(path + "-a", settings)


class LoaderB(Loader):
    def load(self, path, settings):
        return super().load(path + "-b", settings)


class LoaderC(LoaderA):
    def load(self, path, settings):
        return super().load(path + "-c", settings)


class LoaderD(LoaderA):
    def load(self, path, settings):
        return super().load(path + "-d", settings)


class LoaderE(LoaderB):
    def load(self, path, settings):
        return super().load(path + "-e", settings)


class LoaderF(LoaderB):
    def load(self, path, settings):
        return super().load(path + "-f", settings)


class LoaderG(LoaderB):
    def load(self, path, settings):
        return super().load(path + "-g", settings)


class LoaderH(Loader):
    def load(self, path, settings):
        return super().load(path + "-h", settings)


class LoaderI(Loader):
    def load(self, path, settings):
        return super().load(path + "-i", settings)


class LoaderJ(Loader):
    def load(self, path, settings):
        return super().load(path + "-j", settings)


class LoaderK(Loader):
    def load(self, path, settings):
        return super().load(path + "-k", settings)


class LoaderL(Loader):
    def load(self, path, settings):
        return super().load(path + "-l", settings)


class LoaderM(Loader):
    def load(self, path, settings):
        return super().load(path + "-m", settings)


loaders = []


def register(kind):
    loaders.append(kind())


def loader_for(path):
    for loader in loaders:
        if loader.fits(os.path.basename(path)):
            return loader
    raise ValueError(path)


def open_model(path, device, cards=1):
    adapter = loader_for(path)
    if device == "cuda":
        settings = {"torch_dtype": torch.float16}
        if cards != 1:
            settings["device_map"] = "sequential"
    elif device == "cpu":
        settings = {"torch_dtype": torch.float32}
    else:
        raise ValueError(device)
    return adapter.load(path, settings)
