import asyncio
import logging
from contextlib import asynccontextmanager

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from transformers import AutoModelForCausalLM, AutoTokenizer

logger = logging.getLogger(__name__)
state = {}


class Request(BaseModel):
    prompt: str
    max_new_tokens: int = 64
    top_k: int = Field(default=40, ge=0)
    use_cache: bool = True


def choose_dtype():
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    if torch.cuda.is_available():
        return torch.float16
    return torch.float32


@asynccontextmanager
async def lifespan(app):
    model = AutoModelForCausalLM.from_pretrained(
        "Qwen/Qwen2.5-1.5B-Instruct",
        torch_dtype=choose_dtype(),
        low_cpu_mem_usage=True,
    )
    try:
        model = torch.compile(model, mode="reduce-overhead")
    except Exception as exc:
        logger.warning("no compile: %s", exc)
    state["model"] = model
    state["tokenizer"] = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-1.5B-Instruct", use_fast=False)
    yield
    state.clear()


app = FastAPI(lifespan=lifespan)


@torch.inference_mode()
def run(request: Request):
    inputs = state["tokenizer"](request.prompt, return_tensors="pt")
    model = state["model"]
    out = model.generate(
        **inputs,
        max_new_tokens=request.max_new_tokens,
        do_sample=True,
        top_k=request.top_k,
        use_cache=request.use_cache,
    )
    return state["tokenizer"].decode(out[0])


@app.post("/generate")
async def generate(request: Request):
    loop = asyncio.get_running_loop()
    return {"text": await loop.run_in_executor(None, run, request)}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=8000)
