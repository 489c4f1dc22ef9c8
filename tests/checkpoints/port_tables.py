"""The layers of deepfillv2-pytorch, read off its modules (model/networks_tf.py, model/networks.py).

Each row: the official layer, the TF-ported module, the re-trained module, and the convolution's
output channels, input channels and kernel size at full width with five input channels.
"""

from __future__ import annotations

ROWS = [
    ("conv1", "conv1.conv", "stage1.conv1.conv", 48, 5, 5),
    (
        "conv2_downsample",
        "conv2_downsample.conv",
        "stage1.down_block1.conv1_downsample.conv",
        *(96, 24, 3),
    ),
    ("conv3", "conv3.conv", "stage1.down_block1.conv2.conv", 96, 48, 3),
    (
        "conv4_downsample",
        "conv4_downsample.conv",
        "stage1.down_block2.conv1_downsample.conv",
        *(192, 48, 3),
    ),
    ("conv5", "conv5.conv", "stage1.down_block2.conv2.conv", 192, 96, 3),
    ("conv6", "conv6.conv", "stage1.conv_bn1.conv", 192, 96, 3),
    ("conv7_atrous", "conv7_atrous.conv", "stage1.conv_bn2.conv", 192, 96, 3),
    ("conv8_atrous", "conv8_atrous.conv", "stage1.conv_bn3.conv", 192, 96, 3),
    ("conv9_atrous", "conv9_atrous.conv", "stage1.conv_bn4.conv", 192, 96, 3),
    ("conv10_atrous", "conv10_atrous.conv", "stage1.conv_bn5.conv", 192, 96, 3),
    ("conv11", "conv11.conv", "stage1.conv_bn6.conv", 192, 96, 3),
    ("conv12", "conv12.conv", "stage1.conv_bn7.conv", 192, 96, 3),
    (
        "conv13_upsample",
        "conv13_upsample.conv.conv",
        "stage1.up_block1.conv1_upsample.conv.conv",
        *(96, 96, 3),
    ),
    ("conv14", "conv14.conv", "stage1.up_block1.conv2.conv", 96, 48, 3),
    (
        "conv15_upsample",
        "conv15_upsample.conv.conv",
        "stage1.up_block2.conv1_upsample.conv.conv",
        *(48, 48, 3),
    ),
    ("conv16", "conv16.conv", "stage1.up_block2.conv2.conv", 24, 24, 3),
    ("conv17", "conv17.conv", "stage1.conv_to_rgb.conv", 3, 12, 3),
    ("xconv1", "xconv1.conv", "stage2.conv_conv1.conv", 48, 3, 5),
    (
        "xconv2_downsample",
        "xconv2_downsample.conv",
        "stage2.conv_down_block1.conv1_downsample.conv",
        *(48, 24, 3),
    ),
    ("xconv3", "xconv3.conv", "stage2.conv_down_block1.conv2.conv", 96, 24, 3),
    (
        "xconv4_downsample",
        "xconv4_downsample.conv",
        "stage2.conv_down_block2.conv1_downsample.conv",
        *(96, 48, 3),
    ),
    ("xconv5", "xconv5.conv", "stage2.conv_down_block2.conv2.conv", 192, 48, 3),
    ("xconv6", "xconv6.conv", "stage2.conv_conv_bn1.conv", 192, 96, 3),
    ("xconv7_atrous", "xconv7_atrous.conv", "stage2.conv_conv_bn2.conv", 192, 96, 3),
    ("xconv8_atrous", "xconv8_atrous.conv", "stage2.conv_conv_bn3.conv", 192, 96, 3),
    ("xconv9_atrous", "xconv9_atrous.conv", "stage2.conv_conv_bn4.conv", 192, 96, 3),
    ("xconv10_atrous", "xconv10_atrous.conv", "stage2.conv_conv_bn5.conv", 192, 96, 3),
    ("pmconv1", "pmconv1.conv", "stage2.ca_conv1.conv", 48, 3, 5),
    (
        "pmconv2_downsample",
        "pmconv2_downsample.conv",
        "stage2.ca_down_block1.conv1_downsample.conv",
        *(48, 24, 3),
    ),
    ("pmconv3", "pmconv3.conv", "stage2.ca_down_block1.conv2.conv", 96, 24, 3),
    (
        "pmconv4_downsample",
        "pmconv4_downsample.conv",
        "stage2.ca_down_block2.conv1_downsample.conv",
        *(192, 48, 3),
    ),
    ("pmconv5", "pmconv5.conv", "stage2.ca_down_block2.conv2.conv", 192, 96, 3),
    ("pmconv6", "pmconv6.conv", "stage2.ca_conv_bn1.conv", 192, 96, 3),
    ("pmconv9", "pmconv9.conv", "stage2.ca_conv_bn4.conv", 192, 96, 3),
    ("pmconv10", "pmconv10.conv", "stage2.ca_conv_bn5.conv", 192, 96, 3),
    ("allconv11", "allconv11.conv", "stage2.conv_bn6.conv", 192, 192, 3),
    ("allconv12", "allconv12.conv", "stage2.conv_bn7.conv", 192, 96, 3),
    (
        "allconv13_upsample",
        "allconv13_upsample.conv.conv",
        "stage2.up_block1.conv1_upsample.conv.conv",
        *(96, 96, 3),
    ),
    ("allconv14", "allconv14.conv", "stage2.up_block1.conv2.conv", 96, 48, 3),
    (
        "allconv15_upsample",
        "allconv15_upsample.conv.conv",
        "stage2.up_block2.conv1_upsample.conv.conv",
        *(48, 48, 3),
    ),
    ("allconv16", "allconv16.conv", "stage2.up_block2.conv2.conv", 24, 24, 3),
    ("allconv17", "allconv17.conv", "stage2.conv_to_rgb.conv", 3, 12, 3),
]
