// How structs cross the boundary: they begin with their size as the host was compiled, so that either side may be
// newer. Source: the kernel's copy_struct_from_user, include/linux/uaccess.h, whose rule this is.
//
//   from the host   shorter than ours: what is missing is zero. Longer: the rest must be zero, else it asks for
//                   something that this library does not know. Shorter than the first release's: not this struct.
//   to the host     as much as both know; what lies behind is left alone
using System;
using System.Runtime.CompilerServices;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Structs;

static class StructSize
{
    /// <summary>A longer struct is garbage, not a newer host.</summary>
    const uint SizeMax = 4096;

    /// <summary>Copies a host's struct in.</summary>
    /// <param name="host">Begins with its size.</param>
    /// <param name="sizeMin">Of the first release.</param>
    /// <param name="copy">Ours; missing members are zero.</param>
    /// <returns>Ok, Invalid or Unsupported.</returns>
    public static unsafe Answer TryRead<T>(T* host, uint sizeMin, out T copy)
        where T : unmanaged
    {
        copy = default;
        if (host == null)
            return Answer.Invalid("a struct is NULL");
        // SAFETY: the host vouches for struct_size bytes at its pointer; the first four are always there.
        uint size = Unsafe.ReadUnaligned<uint>(host);
        if (size < sizeMin || size > SizeMax)
            return Answer.Invalid($"struct_size {size} is not between {sizeMin} and {SizeMax}");
        ReadOnlySpan<byte> bytes = new(host, (int)size);
        if (bytes.Length > sizeof(T) && bytes[sizeof(T)..].ContainsAnyExcept((byte)0))
            return Answer.Unsupported($"the struct has {size} bytes and says something behind the {sizeof(T)} known");
        fixed (T* own = &copy)
            bytes[..Math.Min(bytes.Length, sizeof(T))].CopyTo(new Span<byte>(own, sizeof(T)));
        return Answer.Ok;
    }

    /// <summary>Copies a struct out; the host's struct_size stays as it was.</summary>
    /// <returns>Ok or Invalid.</returns>
    public static unsafe Answer TryWrite<T>(T* host, uint sizeMin, in T value)
        where T : unmanaged
    {
        if (host == null)
            return Answer.Invalid("a struct is NULL");
        // SAFETY: the host vouches for struct_size bytes at its pointer.
        uint size = Unsafe.ReadUnaligned<uint>(host);
        if (size < sizeMin || size > SizeMax)
            return Answer.Invalid($"struct_size {size} is not between {sizeMin} and {SizeMax}");
        fixed (T* own = &value)
        {
            int length = (int)Math.Min(size, (uint)sizeof(T)) - sizeof(uint);
            new ReadOnlySpan<byte>((byte*)own + sizeof(uint), length).CopyTo(
                new Span<byte>((byte*)host + sizeof(uint), length)
            );
        }
        return Answer.Ok;
    }
}
