import fire
import torch
import transformers


def run(
    base_model: str = "huggyllama/llama-7b",
    load_8bit: bool = False,
    top_k=40,
    num_beams=1,
    flash: bool = False,
):
    kwargs = {}
    if load_8bit:
        kwargs["quantization_config"] = transformers.BitsAndBytesConfig(load_in_8bit=True)
    else:
        kwargs["torch_dtype"] = torch.float16
    if flash:
        kwargs["attn_implementation"] = "flash_attention_2"
    model = transformers.LlamaForCausalLM.from_pretrained(base_model, device_map={"": 0}, **kwargs)
    tokenizer = transformers.LlamaTokenizer.from_pretrained(base_model)
    model.config.use_cache = False
    gen = transformers.GenerationConfig(top_k=top_k, num_beams=num_beams, do_sample=True)
    ids = tokenizer("x", return_tensors="pt")
    print(model.generate(**ids, generation_config=gen))


if __name__ == "__main__":
    fire.Fire(run)
