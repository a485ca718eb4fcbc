//! Devices by name, and what they are fast at.

use tch::Device;

use crate::TorchError;

/// A device by the name that PyTorch gives it: `cpu`, `cuda` (the first), `cuda:N`, `mps`. What is returned is there.
///
/// CUDA and MPS are untested.
///
/// # Errors
/// The name is none, or this machine (or this libtorch) does not have the device.
pub fn parse_device(name: &str) -> Result<Device, TorchError> {
    let device = match name {
        "cpu" => Device::Cpu,
        "cuda" => Device::Cuda(0),
        "mps" => Device::Mps,
        _ => name
            .strip_prefix("cuda:")
            .filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|index| index.parse().ok())
            .map(Device::Cuda)
            .ok_or_else(|| TorchError::UnknownDevice(name.to_owned()))?,
    };
    match missing(device) {
        None => Ok(device),
        Some(why) => Err(TorchError::NoDevice { device: name.to_owned(), why }),
    }
}

/// Why a device cannot be used.
fn missing(device: Device) -> Option<String> {
    match device {
        Device::Cuda(_) if !tch::utils::has_cuda() => {
            Some("this libtorch has no CUDA, or finds no CUDA device".to_owned())
        }
        Device::Cuda(index) => {
            let count = tch::Cuda::device_count();
            (i64::try_from(index).map_or(true, |index| index >= count))
                .then(|| format!("there are {count} CUDA devices, counted from 0"))
        }
        Device::Mps if !tch::utils::has_mps() => {
            Some("this libtorch has no MPS, or this is no Apple processor".to_owned())
        }
        Device::Cpu | Device::Mps | Device::Vulkan => None,
    }
}

/// Whether the device multiplies fp16 itself. On x86 processors this takes AVX512-FP16 (Sapphire Rapids and newer); others
/// convert number by number, which every operation can and convolutions are slow with. CUDA and MPS: yes.
pub fn fp16_is_native(device: Device) -> bool {
    match device {
        #[cfg(target_arch = "x86_64")]
        Device::Cpu => std::arch::is_x86_feature_detected!("avx512fp16"),
        Device::Cuda(_) | Device::Mps => true,
        _ => false,
    }
}

/// Whether the device multiplies bf16 faster than fp32. On x86 processors this is so with AVX512-BF16 (Zen 4 and
/// newer, Cooper Lake, and every processor with AMX-BF16); without it libtorch emulates bf16 and is slower. CUDA: yes.
/// Arm processors and MPS: not measured, so no.
pub fn bf16_is_fast(device: Device) -> bool {
    match device {
        Device::Cuda(_) => true,
        #[cfg(target_arch = "x86_64")]
        Device::Cpu => std::arch::is_x86_feature_detected!("avx512bf16"),
        _ => false,
    }
}

/// Whether oneDNN multiplies whole numbers of eight bits faster than fp32, four times on x86 processors with AVX512-VNNI
/// (Cascade Lake, Zen 4 and newer). On the CPU alone; others were not measured.
pub fn int8_is_fast(device: Device) -> bool {
    match device {
        #[cfg(target_arch = "x86_64")]
        Device::Cpu => std::arch::is_x86_feature_detected!("avx512vnni"),
        _ => false,
    }
}
