#include "audit/messages.h"

#include <array>
#include <unordered_map>

#include "base/check.h"

namespace fathom {
namespace {

struct Message {
  std::string_view key;
  std::string_view english;
  std::string_view chinese;
};

constexpr auto kMessages = std::to_array<Message>({
    // --- what the script says
    {"state.used", "Line {0} sets it to {1}.", "第 {0} 行将其设为 {1}。"},
    {"state.used_guarded", "Line {0} sets it to {1}, where the condition of line {2} allows.",
     "第 {0} 行将其设为 {1}，仅当第 {2} 行的条件成立时执行。"},
    {"state.disabled", "Line {0} turns it off with {1}.", "第 {0} 行以 {1} 将其关闭。"},
    {"state.not_used", "The script does not write it.", "脚本中没有写出。"},
    {"state.unknown", "What line {0} gives it cannot be told from the text: {1}.",
     "第 {0} 行赋给它的值无法从文本得知：{1}。"},
    {"state.option", "That is the default of {0}; whoever starts the script can change it.",
     "这是 {0} 的默认值，启动脚本的人可以更改。"},
    {"state.syntax", "Python cannot parse the file ({0}), so nothing of it is certain.",
     "Python 无法解析该文件（{0}），因此一切都无法确定。"},

    {"error.syntax", "syntax error at line {0}: {1}", "第 {0} 行有语法错误（Python 的提示：{1}）"},

    // --- facts, by row
    {"fact.1.ignored",
     "transformers takes the argument and drops it: a model is always made without memory of its "
     "own and filled tensor by tensor.",
     "transformers 接收该参数后直接丢弃：模型总是先不占内存地创建，再逐个张量填充。"},
    {"fact.1.meta", "The model is made without memory of its own before its weights are read.",
     "先不占内存地创建模型，再读取权重。"},
    {"fact.2.ignored",
     "AutoTokenizer drops the argument: there is one tokenizer a model, the fast one.",
     "AutoTokenizer 会丢弃该参数：每个模型只有一种分词器，即快速分词器。"},
    {"fact.2.default", "AutoTokenizer takes the fast tokenizer by itself where there is one.",
     "只要存在快速分词器，AutoTokenizer 默认就会使用它。"},
    {"fact.3.no_grad",
     "generate() runs without gradients anyway; what this adds is that views and version counters "
     "are not tracked. In a loop of one's own it also spares the graph of gradients.",
     "generate() "
     "本来就不记录梯度；它额外省去的是视图跟踪和版本计数。自己编写的循环中，它还省去梯度图。"},
    {"fact.4.sixteen_bit",
     "It acts on float32 weights only, and this script loads the model in 16 bits.",
     "它只作用于 float32 权重，而该脚本以 16 位加载模型。"},
    {"fact.4.convolutions",
     "This switch is for cuDNN's convolutions, and a text decoder has none of them.",
     "该开关针对 cuDNN 的卷积，而文本解码器没有卷积。"},
    {"fact.4.mps", "MPS does not look at this setting.", "MPS 不读取该设置。"},
    {"fact.4.cpu_medium",
     "For float32 weights \"medium\" lets oneDNN do the products where the CPU has bf16 units "
     "(AVX-512 BW, VL and DQ); \"high\" changes nothing on a CPU.",
     "对于 float32 权重，若 CPU 具备 bf16 单元（AVX-512 BW、VL、DQ），\"medium\" 会让 oneDNN "
     "执行矩阵乘；\"high\" 在 CPU 上没有作用。"},
    {"fact.4.cpu_high", "On a CPU \"high\" is computed as \"highest\"; only \"medium\" differs.",
     "在 CPU 上，\"high\" 与 \"highest\" 的计算相同，只有 \"medium\" 有所不同。"},
    {"fact.4.cpu_tf32", "TF32 is a format of NVIDIA's GPUs.", "TF32 是 NVIDIA GPU 的格式。"},
    {"fact.4.cuda",
     "float32 products run as TF32; \"high\" and \"medium\" are the same on CUDA. Weights of 16 "
     "bits are not touched.",
     "float32 矩阵乘以 TF32 执行；在 CUDA 上 \"high\" 与 \"medium\" 相同。16 位权重不受影响。"},
    {"fact.5.config",
     "generate() reads generation_config.use_cache, not the model's config: this changes nothing "
     "there.",
     "generate() 读取的是 generation_config.use_cache，而不是模型的 "
     "config：这里的设置对它没有作用。"},
    {"fact.5.default",
     "Keys and values are kept from step to step. It is the default of generate().",
     "逐步保留键和值。这是 generate() 的默认行为。"},
    {"fact.6.default",
     "False is the default. True makes transformers materialize the attention weights, which only "
     "the eager path can.",
     "False 是默认值。设为 True 时 transformers 会实体化注意力权重，只有 eager 路径能做到。"},
    {"fact.7.default", "False is the default. True keeps the output of every layer.",
     "False 是默认值。设为 True 时会保留每一层的输出。"},
    {"fact.8.cost",
     "Each step selects the best tokens of the whole vocabulary; the softmax and the draw then "
     "look at those alone.",
     "每一步从整个词表中选出最优的若干词元，之后的 softmax 和抽样只处理这些词元。"},
    {"fact.9.not_cuda", "It is a setting of cuDNN, which only CUDA has; elsewhere it is skipped.",
     "它是 cuDNN 的设置，只有 CUDA 才有；在其他设备上会被跳过。"},
    {"fact.9.convolutions",
     "cuDNN tries several algorithms for convolutions only; a text decoder has no convolution, so "
     "nothing is tuned.",
     "cuDNN 只为卷积尝试多种算法；文本解码器没有卷积，因此不会有任何调优。"},
    {"fact.10.auto_device",
     "generate() compiles by itself for a static cache only on CUDA and some accelerators: here "
     "the cache is made and nothing is compiled, without a word about it.",
     "只有在 CUDA 和部分加速器上，generate() "
     "才会因静态缓存自动编译：在这里只会创建缓存，不会编译，也不会提示。"},
    {"fact.10.auto_cuda",
     "With a static cache generate() compiles the decoding step by itself; the prompt stays eager.",
     "使用静态缓存时，generate() 会自动编译解码步骤；提示词部分仍以 eager 方式执行。"},
    {"fact.10.absent", "torch.compile came with torch 2.0.", "torch.compile 自 torch 2.0 起才有。"},
    {"fact.10.mps_before", "torch compiles for MPS from 2.10 on.",
     "torch 自 2.10 起才能为 MPS 编译。"},
    {"fact.10.mps", "torch compiles for MPS; generate()'s own compilation still leaves MPS out.",
     "torch 可以为 MPS 编译；generate() 的自动编译仍不包含 MPS。"},
    {"fact.10.cpu", "It compiles C++ for the CPU; the first call takes long.",
     "它会为 CPU 编译 C++ 代码；首次调用耗时很长。"},
    {"fact.10.cuda", "It compiles Triton kernels; the first call takes long.",
     "它会编译 Triton 内核；首次调用耗时很长。"},
    {"fact.11.load_in_gone",
     "from_pretrained has no load_in_8bit or load_in_4bit any more: it hands them to the model, "
     "which raises TypeError.",
     "from_pretrained 不再有 load_in_8bit 和 load_in_4bit 参数：它会把它们传给模型，从而引发 "
     "TypeError。"},
    {"fact.11.bits_cuda", "bitsandbytes needs a device that it supports; it came for CUDA.",
     "bitsandbytes 需要它所支持的设备；它最初面向 CUDA。"},
    {"fact.11.bits", "The weights are quantized by bitsandbytes while they are loaded.",
     "权重在加载时由 bitsandbytes 量化。"},
    {"fact.11.quantized",
     "The weights are held quantized. The quantizer's package must support the device; loading "
     "fails where it does not.",
     "权重以量化形式保存。量化所用的软件包必须支持该设备，否则加载会失败。"},
    {"fact.11.auto_default", "\"auto\", the checkpoint's own dtype, is the default.",
     "\"auto\"（检查点自身的数据类型）就是默认值。"},
    {"fact.11.auto", "The model keeps the checkpoint's dtype instead of float32.",
     "模型保持检查点的数据类型，而不是 float32。"},
    {"fact.11.cpu_float16",
     "Half the memory. On a CPU float16 decodes fast but was measured at 0.27x of float32 in the "
     "prompt: bfloat16 is the better half.",
     "内存减半。在 CPU 上 float16 解码很快，但处理提示词的速度实测仅为 float32 的 0.27 "
     "倍：bfloat16 更合适。"},
    {"fact.11.cpu",
     "Half the memory and half the bytes to read for each token; how fast the products are "
     "depends on the CPU's units for it.",
     "内存减半，每个词元读取的字节也减半；矩阵乘的速度取决于 CPU 的相应单元。"},
    {"fact.11.mps", "Half the memory and half the bytes to read for each token.",
     "内存减半，每个词元读取的字节也减半。"},
    {"fact.11.cuda",
     "Half the memory, half the bytes to read for each token, and the tensor cores.",
     "内存减半，每个词元读取的字节减半，并能使用张量核心。"},
    {"fact.12.cpu", "There is one device to place the layers on.", "只有一个设备可以放置各层。"},
    {"fact.12.mps", "There is one device to place the layers on.", "只有一个设备可以放置各层。"},
    {"fact.12.cuda",
     "Layers are spread over the GPUs; what does not fit goes to the CPU and then to disk. With "
     "one GPU that holds the model nothing changes.",
     "各层分布到多块 GPU 上；放不下的部分先放到 CPU，再放到磁盘。若一块 GPU "
     "放得下整个模型，则没有变化。"},
    {"fact.13.better_gone", "to_bettertransformer is gone; sdpa, the default, took its place.",
     "to_bettertransformer 已被移除；默认的 sdpa 取而代之。"},
    {"fact.13.better", "It replaces attention by torch's fused kernels.",
     "它用 torch 的融合内核替换注意力计算。"},
    {"fact.13.switch_cuda_only", "The switch chooses among CUDA's kernels.",
     "该开关在 CUDA 的内核之间做选择。"},
    {"fact.13.switch_default",
     "sdpa may use its flash kernels by default; the switch says it again.",
     "sdpa 默认就可以使用 flash 内核；该开关只是重申。"},
    {"fact.13.sdpa", "sdpa is the default where the model has it, and it reaches flash kernels.",
     "只要模型支持，sdpa 就是默认实现，并且会用到 flash 内核。"},
    {"fact.13.other", "The implementation that the script names is taken.", "采用脚本指定的实现。"},
    {"fact.13.flag_gone",
     "from_pretrained has no use_flash_attention_2 any more: the model raises TypeError.",
     "from_pretrained 不再有 use_flash_attention_2 参数：模型会引发 TypeError。"},
    {"fact.13.flash_cpu",
     "flash_attention_2 needs CUDA: loading raises ImportError on a CPU. sdpa, the default, is "
     "tiled too.",
     "flash_attention_2 需要 CUDA：在 CPU 上加载会引发 ImportError。默认的 sdpa 同样是分块计算。"},
    {"fact.13.flash_mps",
     "flash_attention_2 is not among what MPS supports: loading raises. sdpa is the default.",
     "MPS 不支持 flash_attention_2：加载会报错。默认使用 sdpa。"},
    {"fact.13.flash_cuda",
     "It needs the flash-attn package (or the kernels package) and 16-bit weights; sdpa, the "
     "default, already reaches flash kernels.",
     "它需要 flash-attn（或 kernels）软件包以及 16 位权重；默认的 sdpa 已经会用到 flash 内核。"},
    {"here.4.no_bf16",
     "This CPU lacks AVX-512 BW, VL and DQ, without which oneDNN has no faster path for it.",
     "该 CPU 缺少 AVX-512 BW、VL、DQ，oneDNN 因此没有更快的路径。"},
    {"here.12.one_gpu", "This machine has one GPU: nothing is spread unless the model exceeds it.",
     "本机只有一块 GPU：除非模型放不下，否则不会分布到其他设备。"},

    // --- what to do
    {"remedy.drop", "It can be deleted: with these versions it changes nothing on this machine.",
     "可以删除：在这些版本下，它在本机上没有任何作用。"},
    {"remedy.guard", "Let it run only on the devices that have it.", "只在支持它的设备上执行。"},
    {"remedy.enable",
     "Delete the line, or give it the value that turns {0} on, unless it is needed.",
     "若无必要，请删除该行，或改为启用 {0} 的值。"},
    {"remedy.unknown", "Write the value out, or look at what the expression gives when it runs.",
     "请写出具体的值，或在运行时查看该表达式的结果。"},
    {"remedy.syntax", "Repair the line that Python names and audit again.",
     "请修正 Python 指出的那一行，然后重新审计。"},
    {"remedy.3", "Put @torch.inference_mode() on the function that generates.",
     "在负责生成的函数上加 @torch.inference_mode()。"},
    {"remedy.4", "torch.set_float32_matmul_precision(\"medium\"), if the weights stay float32.",
     "若权重保持 float32，可调用 torch.set_float32_matmul_precision(\"medium\")。"},
    {"remedy.8", "generate(do_sample=True, top_k=50), where the text is sampled.",
     "若采用抽样生成，可使用 generate(do_sample=True, top_k=50)。"},
    {"remedy.10", "model.forward = torch.compile(model.forward), with a static cache.",
     "配合静态缓存使用 model.forward = torch.compile(model.forward)。"},
    {"remedy.11.dtype", "from_pretrained(..., dtype=torch.bfloat16); compare the answers.",
     "from_pretrained(..., dtype=torch.bfloat16)；请对比生成结果。"},
    {"remedy.11.torch_dtype",
     "from_pretrained(..., torch_dtype=torch.bfloat16); compare the answers.",
     "from_pretrained(..., torch_dtype=torch.bfloat16)；请对比生成结果。"},
    {"remedy.11.bits",
     "quantization_config=BitsAndBytesConfig(load_in_8bit=True) says the same today.",
     "如今应写作 quantization_config=BitsAndBytesConfig(load_in_8bit=True)。"},
    {"remedy.12", "from_pretrained(..., device_map=\"auto\"), where there are several GPUs.",
     "若有多块 GPU，可使用 from_pretrained(..., device_map=\"auto\")。"},
    {"remedy.13", "from_pretrained(..., attn_implementation=\"flash_attention_2\").",
     "from_pretrained(..., attn_implementation=\"flash_attention_2\")。"},
    {"remedy.13.better", "Delete the call: sdpa is the default.", "删除该调用：默认就是 sdpa。"},
    {"remedy.13.flag", "attn_implementation=\"flash_attention_2\" says the same today.",
     "如今应写作 attn_implementation=\"flash_attention_2\"。"},

    // --- gains that somebody measured, and who
    {"quoted.1", "none (project reference run: transformers 5.23, 135 M parameters, a 2-core CPU)",
     "无（项目参考测量：transformers 5.23，1.35 亿参数，双核 CPU）"},
    {"quoted.2", "none (project reference run: transformers 5.23, 135 M parameters, a 2-core CPU)",
     "无（项目参考测量：transformers 5.23，1.35 亿参数，双核 CPU）"},
    {"quoted.3",
     "none against no_grad (project reference run: transformers 5.23, 135 M parameters, a 2-core "
     "CPU)",
     "与 no_grad 相比无差别（项目参考测量：transformers 5.23，1.35 亿参数，双核 CPU）"},
    {"quoted.4",
     "decode: high 0.99x, medium 1.27x (project reference run: float32, 135 M parameters, a 2-core "
     "CPU)",
     "解码：high 0.99 倍，medium 1.27 倍（项目参考测量：float32，1.35 亿参数，双核 CPU）"},
    {"quoted.5", "decode 0.15x without it (project reference run: 135 M parameters, a 2-core CPU)",
     "关闭后解码为 0.15 倍（项目参考测量：1.35 亿参数，双核 CPU）"},
    {"quoted.6",
     "True costs: decode 0.93x, prefill 0.65x, +500 MB (project reference run: eager, 135 M "
     "parameters, a 2-core CPU)",
     "设为 True 的代价：解码 0.93 倍，预填充 0.65 倍，内存多 500 MB（项目参考测量：eager，1.35 "
     "亿参数，双核 CPU）"},
    {"quoted.7", "True: 0.99x (project reference run: 135 M parameters, a 2-core CPU)",
     "设为 True：0.99 倍（项目参考测量：1.35 亿参数，双核 CPU）"},
    {"quoted.9", "none (project reference run: transformers 5.23, 135 M parameters, a 2-core CPU)",
     "无（项目参考测量：transformers 5.23，1.35 亿参数，双核 CPU）"},
    {"quoted.10",
     "decode 1.29x, prefill 1.16x, first call 52 s (project reference run: static cache, 135 M "
     "parameters, a 2-core CPU)",
     "解码 1.29 倍，预填充 1.16 倍，首次调用 52 秒（项目参考测量：静态缓存，1.35 亿参数，双核 "
     "CPU）"},
    {"quoted.11",
     "bfloat16: decode 2.3x, prefill 2.5x; float16: decode 2.5x, prefill 0.27x (project reference "
     "run: 135 M parameters, a 2-core CPU)",
     "bfloat16：解码 2.3 倍，预填充 2.5 倍；float16：解码 2.5 倍，预填充 0.27 "
     "倍（项目参考测量：1.35 亿参数，双核 CPU）"},
    {"quoted.12", "none on one device (project reference run: 135 M parameters, a 2-core CPU)",
     "单设备上无差别（项目参考测量：1.35 亿参数，双核 CPU）"},
    {"quoted.13",
     "eager instead of sdpa: decode 0.98x, prefill 0.90x (project reference run: 135 M parameters, "
     "a 2-core CPU)",
     "以 eager 代替 sdpa：解码 0.98 倍，预填充 0.90 倍（项目参考测量：1.35 亿参数，双核 CPU）"},

    // --- advice for a kind of device
    {"advice.none", "Nothing to change.", "无需更改。"},
    {"advice.unavailable", "{0} (line {1}) fails here. {2}", "{0}（第 {1} 行）在此会失败。{2}"},
    {"advice.guarded", "{0} (line {1}) stands under a condition; see that it keeps it away. {2}",
     "{0}（第 {1} 行）位于条件之下，请确认该条件会跳过它。{2}"},
    {"advice.inert", "{0} (line {1}) changes nothing here. {2}",
     "{0}（第 {1} 行）在此没有作用。{2}"},
    {"advice.disabled", "{0} is turned off (line {1}, {2}): keep that only where it is needed.",
     "{0} 被关闭（第 {1} 行，{2}）：仅在确有需要时保留。"},
    {"advice.unknown", "{0} (line {1}) hangs on {2}: see what it is when the script runs.",
     "{0}（第 {1} 行）取决于 {2}：请在运行时确认其值。"},
    {"advice.11.cpu", "dtype=torch.bfloat16 halves memory and traffic; compare the answers.",
     "dtype=torch.bfloat16 可使内存和读取量减半；请对比生成结果。"},
    {"advice.11.mps", "dtype=torch.float16 or torch.bfloat16 halves memory and traffic.",
     "dtype=torch.float16 或 torch.bfloat16 可使内存和读取量减半。"},
    {"advice.11.cuda", "dtype=torch.bfloat16 halves memory and traffic and uses the tensor cores.",
     "dtype=torch.bfloat16 可使内存和读取量减半，并使用张量核心。"},
    {"advice.10.cpu", "torch.compile may help where many tokens follow a slow first call.",
     "若在缓慢的首次调用之后还要生成大量词元，torch.compile 可能有帮助。"},
    {"advice.10.mps", "torch.compile works here from torch 2.10 on; measure before keeping it.",
     "torch 2.10 起 torch.compile 在此可用；请先测量再决定是否保留。"},
    {"advice.10.cuda",
     "torch.compile, or cache_implementation=\"static\" with which generate() compiles by itself.",
     "可使用 torch.compile，或设置 cache_implementation=\"static\" 让 generate() 自动编译。"},
    {"advice.13.cpu", "sdpa is the default already.", "默认已经是 sdpa。"},
    {"advice.13.mps", "sdpa is the default already.", "默认已经是 sdpa。"},
    {"advice.13.cuda",
     "attn_implementation=\"flash_attention_2\" with the flash-attn package, for long prompts; "
     "sdpa "
     "is the default.",
     "处理长提示词时，可安装 flash-attn 并使用 attn_implementation=\"flash_attention_2\"；默认为 "
     "sdpa。"},
    {"advice.4.cpu", "With float32 weights, torch.set_float32_matmul_precision(\"medium\").",
     "若权重为 float32，可调用 torch.set_float32_matmul_precision(\"medium\")。"},
    {"advice.4.mps", "Nothing: MPS does not look at this setting.", "无：MPS 不读取该设置。"},
    {"advice.4.cuda",
     "With float32 weights, torch.set_float32_matmul_precision(\"high\") uses TF32.",
     "若权重为 float32，torch.set_float32_matmul_precision(\"high\") 会使用 TF32。"},
    {"advice.12.cpu", "Nothing: there is one device.", "无：只有一个设备。"},
    {"advice.12.mps", "Nothing: there is one device.", "无：只有一个设备。"},
    {"advice.12.cuda",
     "device_map=\"auto\" where there are several GPUs, or the model exceeds one.",
     "若有多块 GPU，或一块放不下模型，可使用 device_map=\"auto\"。"},

    // --- the page of each code
    {"page.1",
     "low_cpu_mem_usage: the model is made without memory of its own and filled tensor by "
     "tensor, so that loading does not hold the weights twice. Recent releases of transformers "
     "always do so and ignore the argument.",
     "low_cpu_mem_usage：先不占内存地创建模型，再逐个张量填充，加载时不会占用两份权重。新"
     "版 transformers 总是如此，并忽略该参数。"},
    {"page.2",
     "use_fast: the tokenizer written in Rust instead of the one in Python. transformers "
     "5 has only the fast one and ignores the argument.",
     "use_fast：使用 Rust 编写的分词器，而不是 Python 版本。transformers 5 只有快速分词器"
     "，并忽略该参数。"},
    {"page.3",
     "torch.inference_mode: nothing is recorded for a backward pass, and views are not tracked. "
     "torch.no_grad spares most of the same.",
     "torch.inference_mode：不为反向传播做任何记录，也不跟踪视图。torch.no_grad 已能省去"
     "其中大部分。"},
    {"page.4",
     "torch.set_float32_matmul_precision: products of float32 matrices may be computed in "
     "TF32 (CUDA) or with bf16 units (CPU). It does nothing for 16-bit weights.",
     "torch.set_float32_matmul_precision：float32 矩阵乘可以用 TF32（CUDA）或 bf16 单元（"
     "CPU）计算。对 16 位权重没有作用。"},
    {"page.5",
     "use_cache: keys and values of earlier tokens are kept instead of computed again at "
     "every step.",
     "use_cache：保留先前词元的键和值，而不是每一步重新计算。"},
    {"page.6",
     "output_attentions: False keeps the attention weights from being materialized and returned.",
     "output_attentions：设为 False 可避免实体化并返回注意力权重。"},
    {"page.7",
     "output_hidden_states: False keeps the output of every layer from being held and returned.",
     "output_hidden_states：设为 False 可避免保留并返回每一层的输出。"},
    {"page.8", "top_k: sampling looks at the k best tokens only.",
     "top_k：抽样时只考虑最优的 k 个词元。"},
    {"page.9",
     "torch.backends.cudnn.benchmark: cuDNN tries its convolution algorithms and keeps the "
     "fastest. A text decoder has no convolution.",
     "torch.backends.cudnn.benchmark：cuDNN 会尝试各种卷积算法并保留最快的。文本解码器没"
     "有卷积。"},
    {"page.10",
     "torch.compile: the forward pass is compiled into fused kernels; the first call pays "
     "for it. generate() compiles by itself for a static cache on CUDA.",
     "torch.compile：将前向计算编译为融合内核，代价由首次调用承担。在 CUDA 上使用静态缓存"
     "时，generate() 会自动编译。"},
    {"page.11",
     "dtype (torch_dtype before): weights of 16 bits or fewer halve memory and traffic or "
     "better, at a cost in accuracy that is to be measured.",
     "dtype（旧名 torch_dtype）：16 位或更窄的权重可使内存和读取量减半甚至更少，精度代价"
     "需要测量。"},
    {"page.12",
     "device_map: layers are spread over several devices, and what does not fit is offloaded.",
     "device_map：将各层分布到多个设备上，放不下的部分会被卸载。"},
    {"page.13",
     "attn_implementation: which kernel computes attention. sdpa is the default; flash_attention_2 "
     "needs CUDA and a package of its own.",
     "attn_implementation：由哪种内核计算注意力。默认是 sdpa；flash_attention_2 需要 CUDA "
     "和单独的软件包。"},

    // --- conclusion
    {"conclusion.counts",
     "Of {1} optimizations the script uses {0}, turns off {2}, does not write {3}, and of {4} "
     "nothing certain can be said.",
     "{1} 项优化中，脚本使用了 {0} 项，关闭了 {2} 项，未写出 {3} 项，另有 {4} 项无法确定。"},
    {"conclusion.here",
     "On {0}, {1} of those used have an effect, {2} change nothing and {3} cannot run; {4} more "
     "could be used.",
     "在 {0} 上，已使用的优化中有 {1} 项起作用，{2} 项没有作用，{3} 项无法运行；另有 {4} "
     "项可以启用。"},
    {"conclusion.measure", "`fathom measure` tells what each one is worth on this machine.",
     "`fathom measure` 可以测出每一项在本机上的实际收益。"},
    {"conclusion.error", "Nothing can be concluded: {0}.", "无法得出结论：{0}。"},

    // --- headings and words of the report
    {"device.cpu", "CPU", "CPU"},
    {"device.mps", "Mac MPS", "Mac MPS"},
    {"device.cuda", "CUDA", "CUDA"},
    {"word.state.used", "used", "已使用"},
    {"word.state.disabled", "turned off", "已关闭"},
    {"word.state.not_used", "not used", "未使用"},
    {"word.state.unknown", "unknown", "无法确定"},
    {"word.support.available", "available", "可用"},
    {"word.support.no_effect", "no effect", "无效果"},
    {"word.support.unavailable", "unavailable", "不可用"},
    {"title", "Optimizations of {0}", "{0} 的优化分析"},
    {"about.versions", "torch {0} ({1}), transformers {2} ({3})",
     "torch {0}（{1}），transformers {2}（{3}）"},
    {"about.source.given", "as given", "由命令行指定"},
    {"about.source.environment", "installed here", "本机已安装"},
    {"about.source.default", "assumed: none is installed", "假定值：本机未安装"},
    {"about.machine.here", "machine at hand: {0}, seen as {1}", "本机：{0}，按 {1} 分析"},
    {"about.machine.described", "machine described by {0}, seen as {1}",
     "由 {0} 描述的机器，按 {1} 分析"},
    {"about.error", "Error: {0}. What follows was read in spite of it.",
     "错误：{0}。以下内容是在此情况下尽力读出的。"},
    {"section.all", "Available on all devices ({0})", "所有设备都可用（{0} 项）"},
    {"section.two", "Available on two kinds of device ({0})", "两类设备可用（{0} 项）"},
    {"section.one", "Available on one kind of device only ({0})", "仅一类设备可用（{0} 项）"},
    {"section.none", "Without effect on any device with these versions ({0})",
     "在这些版本下对任何设备都无效果（{0} 项）"},
    {"section.unused", "Usable here but not used ({0})", "可用但未使用（{0} 项）"},
    {"section.counts", "Counts", "统计"},
    {"section.here", "This machine: {0}", "当前环境：{0}"},
    {"section.advice", "Advice", "建议"},
    {"section.conclusion", "Conclusion", "结论"},
    {"here.effective", "Used, with effect ({0})", "已使用且有效（{0} 项）"},
    {"here.inert", "Used, without effect ({0})", "已使用但无效果（{0} 项）"},
    {"here.failing", "Used, but unavailable ({0})", "已使用但不可用（{0} 项）"},
    {"here.usable", "Usable, not used ({0})", "可用但未使用（{0} 项）"},
    {"here.pointless", "Not used, and no loss ({0})", "未使用且无损失（{0} 项）"},
    {"here.unknown", "Unknown ({0})", "无法确定（{0} 项）"},
    {"label.devices", "Devices", "设备"},
    {"label.state", "State", "状态"},
    {"label.place", "Place", "位置"},
    {"label.reason", "Reason", "原因"},
    {"label.remedy", "What to do", "做法"},
    {"label.measured", "Measured here", "本机实测"},
    {"label.quoted", "Measured elsewhere", "他处测得"},
    {"label.none", "none", "无"},
    {"place.line", "line {0}", "第 {0} 行"},
    {"place.cell", "line {0}, cell {1} line {2}", "第 {0} 行，单元格 {1} 第 {2} 行"},
    {"state.guarded_word", "used, under the condition of line {0}", "已使用（第 {0} 行有检查）"},
    {"column.kind", "Kind", "类别"},
    {"column.total", "Total", "总数"},
    {"column.used", "Used", "已使用"},
    {"column.unused", "Not used", "未使用"},
    {"column.unknown", "Unknown", "无法确定"},
    {"column.optimization", "Optimization", "优化"},
    {"column.here", "Here", "本机"},
    {"kind.all", "All devices", "所有设备可用"},
    {"kind.two", "Two kinds", "两类设备可用"},
    {"kind.one", "One kind", "仅一类设备可用"},
    {"kind.none", "No device", "无设备有效"},
    {"kind.total", "Total", "总计"},
    {"advice.for", "For {0}", "对于 {0}"},
});

const Message* FindMessage(std::string_view key) {
  static const auto* const index = [] {
    auto* map = new std::unordered_map<std::string_view, const Message*>();
    for (const Message& message : kMessages) map->emplace(message.key, &message);
    return map;
  }();
  const auto found = index->find(key);
  return found == index->end() ? nullptr : found->second;
}

}  // namespace

bool HasText(std::string_view key) { return FindMessage(key) != nullptr; }

std::string_view RawText(Language language, std::string_view key) {
  const Message* message = FindMessage(key);
  FATHOM_CHECK(message != nullptr);
  return language == Language::kEnglish ? message->english : message->chinese;
}

}  // namespace fathom
