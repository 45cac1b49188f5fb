import torch
import transformers
from modules import shared
from modules.logging_colors import logger


def huggingface_loader(model_name):
    params = {
        'low_cpu_mem_usage': True,
        'attn_implementation': shared.args.attn_implementation,
        'torch_dtype': torch.bfloat16 if shared.args.bf16 else torch.float16,
    }
    if shared.args.trust_remote_code:
        params['trust_remote_code'] = True
    if shared.args.use_flash_attention_2:
        params['use_flash_attention_2'] = True
    if not any((shared.args.cpu, shared.args.load_in_8bit, shared.args.auto_devices)):
        model = transformers.AutoModelForCausalLM.from_pretrained(model_name, **params)
        if torch.backends.mps.is_available():
            model = model.to(torch.device('mps'))
        else:
            model = model.cuda()
    else:
        if not any((shared.args.cpu, torch.cuda.is_available())):
            logger.warning('no GPU')
            shared.args.cpu = True
        if shared.args.cpu:
            params['torch_dtype'] = torch.float32
        else:
            params['device_map'] = 'auto'
            if shared.args.load_in_4bit:
                params['quantization_config'] = transformers.BitsAndBytesConfig(load_in_4bit=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(model_name, **params)
    if shared.args.torch_compile:
        model = torch.compile(model)
    return model
