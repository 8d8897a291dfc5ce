// C types as clang writes them, and the C# types they become.
using FastBackup.Interop.Generator;
using Xunit;

namespace FastBackup.Tests.Interop;

public sealed class TypeMapTests
{
    static readonly TypeMap Types = new(
        name => name is "fb_status" ? "int32_t" : null,
        name => name is "fb_job" ? "fb_job" : null
    );

    [Theory]
    [InlineData("uint64_t", "ulong")]
    [InlineData("fb_status", "int")]
    [InlineData("struct fb_job", "fb_job")]
    [InlineData("const fb_job *", "fb_job*")]
    [InlineData("const char *const *", "byte**")]
    [InlineData("void (*)(void *, const fb_job *)", "delegate* unmanaged[Cdecl]<void*, fb_job*, void>")]
    [InlineData("fb_status (*)(void)", "delegate* unmanaged[Cdecl]<int>")]
    public void Map_OfKnownType(string type, string expected) => Assert.Equal(expected, Types.Map(type));

    [Fact]
    public void MapMember_OfArray_HasItsCount() => Assert.Equal(("byte", 232), Types.MapMember("char[232]"));

    [Theory]
    [InlineData("long")] // 4 or 8 bytes, by platform
    [InlineData("fb_unknown")]
    [InlineData("uint32_t[2][3]")]
    [InlineData("void (*)(void (*)(int))")]
    public void Map_OfUnknownType_EndsTheRun(string type) =>
        Assert.Throws<GeneratorException>(() => Types.MapMember(type));
}
