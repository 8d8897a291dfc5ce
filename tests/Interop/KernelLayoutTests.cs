// The C# side of the kernel's io_uring header against gcc: sizes, offsets, widths and values.
using System;
using System.Linq;
using System.Reflection;
using FastBackup.Interop.Generator;
using FastBackup.Interop.Linux;
using FastBackup.Tests.Interop.C;
using Xunit;

namespace FastBackup.Tests.Interop;

public sealed class KernelLayoutTests
{
    static readonly Assembly Interop = typeof(IoUringSqe).Assembly;

    [Fact]
    public void SizesOffsetsAndValues_AreTheCompilers()
    {
        Requires.SystemPath("/usr/include/linux/io_uring.h");
        CDump dump = new(KernelBindings.Includes);
        foreach (KernelStruct row in KernelTable.Structs)
        {
            Type type = Interop.GetType("FastBackup.Interop.Linux." + row.Name, throwOnError: true)!;
            dump.Expect(row.Name, CTypes.SizeOf(type), $"sizeof({row.CType})");
            FieldInfo[] fields = type.GetFields(BindingFlags.Public | BindingFlags.Instance);
            Assert.Equal(row.Fields.Select(field => field.Name), fields.Select(field => field.Name));
            foreach ((KernelField named, FieldInfo field) in row.Fields.Zip(fields))
            {
                string what = $"{row.Name}.{field.Name}";
                string member = $"(({row.CType} *)0)->{named.CName}";
                dump.Expect(what, CTypes.OffsetOf(type, field.Name), $"offsetof({row.CType}, {named.CName})");
                dump.Expect(what, CTypes.SizeOf(field.FieldType), $"sizeof({member})");
            }
        }
        FieldInfo[] constants = typeof(IoUring).GetFields(BindingFlags.Public | BindingFlags.Static);
        Assert.Equal(KernelTable.Constants.Sum(group => group.Names.Length), constants.Length);
        foreach (FieldInfo constant in constants)
            dump.Expect(constant.Name, constant.GetRawConstantValue()!, constant.Name);
        Assert.True(dump.AssertEqual() > 100);
    }

    [Fact]
    public void MembersOfAUnion_LieOnTopOfEachOther()
    {
        IoUringSqe entry = new() { RwFlags = 0x12345678 };
        Assert.Equal(entry.RwFlags, entry.FsyncFlags);
        Assert.Equal(entry.RwFlags, entry.PollEvents);
    }
}
